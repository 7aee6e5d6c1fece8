# The gateway in a container. Without settings it uses the embedded store in the volume /data:
#   docker build -t countersign .
#   docker run -p 127.0.0.1:8080:8080 -v countersign:/data --read-only --tmpfs /tmp --cap-drop ALL \
#     --security-opt no-new-privileges countersign
# It runs as the user 1000 and writes to /data only. Nothing else is in it: no shell, no package manager.
# For several instances behind TLS see docker-compose.yml.

# An exact version, so that a build does not change by itself. Raise it with each security release of Node 24.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig*.json ./
COPY src ./src
COPY scripts ./scripts
COPY bin ./bin
COPY web ./web
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

# What Node needs of its system: the libraries that it names, how names are resolved, and one user.
FROM ${NODE_IMAGE} AS system
RUN mkdir -p /system/etc /system/data /system/tmp \
  && cp --parents -L /usr/local/bin/node $(ldd /usr/local/bin/node | grep -o '/[^ ]*') /system \
  && echo 'hosts: files dns' > /system/etc/nsswitch.conf \
  && echo 'node:x:1000:1000::/data:/none' > /system/etc/passwd \
  && echo 'node:x:1000:' > /system/etc/group \
  && chown 1000:1000 /system/data && chmod 700 /system/data && chmod 1777 /system/tmp

FROM scratch AS runtime
LABEL org.opencontainers.image.title="countersign" \
      org.opencontainers.image.description="A gateway for signed, replay-proof, two-way messages" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production \
    PATH=/usr/local/bin \
    HOME=/data \
    COUNTERSIGN_HOST=0.0.0.0 \
    COUNTERSIGN_DATA_DIR=/data
COPY --from=system /system /
COPY --from=system --chown=1000:1000 /system/data /data
WORKDIR /app
# The program belongs to root, so the process cannot change it. The process can write to /data only.
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY bin ./bin
COPY web ./web
VOLUME /data
# As a number, so that an orchestrator can verify that it is not root.
USER 1000:1000
EXPOSE 8080
# Liveness, not readiness: a restart does not repair an unavailable store. Override this check with COUNTERSIGN_TLS_CERT.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.COUNTERSIGN_PORT || 8080) + '/livez', { signal: AbortSignal.timeout(2500) }).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
CMD ["node", "bin/countersign.mjs", "serve"]
