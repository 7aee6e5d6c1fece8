// Follows the color scheme of the system: Swagger UI has a dark theme but does not choose it in this layout.
const dark = matchMedia('(prefers-color-scheme: dark)')
const apply = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', apply)
apply()
document.documentElement.lang = 'en'
