/*
 * Calls (PROTOCOL §16) as a model for SPIN: `npm run model`. README.md in this folder lists what is modelled and what is
 * not, and explains how to read a trail.
 *
 * Several attempts make one call: the caller repeats it under its idempotency key, each attempt in a session of its own,
 * and in any order. Without a key each attempt is a call of its own. Two sessions may receive it: 0 is on the bridge, 1
 * on ws. Call c is the frame that attempt (c - 1) / 2 has for session (c - 1) % 2.
 *
 * Instances have no number: each step may happen on any of them. When one dies, what it held in memory is lost; each such
 * loss is a fault. Assertions state what must hold. An attempt without an outcome shows as an invalid end state of the
 * Judge, the only process that may not rest before each attempt has one.
 *
 * PATIENT: time passes only when nothing else can happen, and the time of an attempt must then never be up.
 *
 * Defining one of these removes a rule:
 *   at most once   NO_NX DELIVER_FIRST NO_DEDUP TIMEOUT_UNBINDS
 *   true answers   FIRST_REPLACED NO_DIGEST NO_AWAITED
 *   refusals       UNSURE_REFUSED DROP_LATER DROP_NEVER UNSENT_BINDS NO_FOLLOW
 *   outcomes       NO_DEADLINE; with PATIENT also DISPATCH_FIRST NO_ABANDON SILENT_DROP
 */

/* ── Bounds ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#ifndef ATTEMPTS
#define ATTEMPTS 2  /* at most 3 */
#endif
#ifndef KEYED
#define KEYED 1     /* whether the attempts have one idempotency key */
#endif
#ifndef RECEIVERS
#define RECEIVERS 3 /* the sessions that the call may go to, as bits */
#endif
#ifndef CALLERS
#define CALLERS 3   /* the transports of the attempts, as bits: 1 bridge, 2 ws */
#endif
#ifndef OTHERS
#define OTHERS 0    /* whether an attempt may use the key for another call */
#endif
#ifndef ANSWERS
#define ANSWERS 1   /* of one call: the second has no effect */
#endif
#ifndef FAULTS
#define FAULTS 2    /* in total, of any kind */
#endif

#define CALLS (2 * ATTEMPTS)
#define BIT(i) (1 << (i))
#define idOf(a, session) (2 * (a) + (session) + 1)
#define attemptOf(c) (((c) - 1) / 2)
#define sessionOf(c) (((c) - 1) % 2)
#if KEYED
#define recordOf(a) 0
#else
#define recordOf(a) (a)
#endif

/* Outcomes. Beside these, ANSWER + 2c and ANSWER + 2c + 1 are the first and the second answer to call c. */
#define LOST 1           /* the caller's session ended with its instance */
#define TIMEOUT 2
#define UNAVAILABLE 3    /* outcome "unknown" */
#define UNSENT 4         /* UNAVAILABLE, outcome "unsent" */
#define NO_RECEIVER 5
#define RATE_LIMITED 6
#define CONFLICT 7       /* INVALID_MESSAGE: the key is bound to another call */
#define ANSWER 10
#define isAnswer(outcome) (outcome >= ANSWER)
#define isRefusal(outcome) (outcome >= UNSENT && outcome < ANSWER)
#define callOf(outcome) ((outcome - ANSWER) / 2)

/* ── The store ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef Record { byte call; byte waiters; byte result } /* call 0: there is none; waiters: attempts, as bits */
Record record[ATTEMPTS];

/* Attempts, in the store and in the memory of the instance that makes the call. */
#define NEW 0
#define CLAIMED 1        /* bridge: no commit has it yet. A dead instance's claim is taken over */
#define JOINS 2
#define FINDS 3
#define OPENS 4
#define DELIVERS 5
#define DROPS 6          /* nothing ran, for the reason `out` */
#define BRINGS 7         /* it has the outcome `out` */
#define RESTS 8          /* this was all; the outcome comes from elsewhere */
typedef Attempt {
  byte state;
  bit ws;
  bit other;             /* it makes another call than those without this bit */
  byte to;               /* the session that it tries */
  byte tried;            /* as bits */
  byte out;
  byte others;           /* attempts that waited for a call that was dropped: they wait for the next one */
  bit awaits;            /* it gets an outcome: in the stored session, on ws in memory */
  bit due;               /* its time is up, or its outcome did not fit */
  byte read;             /* what it gets since it is due */
  byte news;             /* an outcome on its way to it, in memory or over pub/sub */
  byte joined;           /* the attempt + 1 whose call it has joined */
  byte got
}
Attempt at[ATTEMPTS];

/* Calls, on their way and at the receiver. */
typedef Call {
  bit mail;              /* on its way to the instance of a ws session */
  bit watched;           /* the instance that sent the mail watches the other one */
  byte refused;          /* the reason why the receiver's instance is about to drop it */
  bit frame;             /* sent to the receiver: on the bridge it stays in the outbox, and is repeated */
  bit ran;
  byte answers;
  byte settling;         /* an answer that an instance is about to settle */
  bit abandoned          /* an instance is about to settle the time-out */
}
Call call[CALLS + 1];
bit ended[2];            /* the receiving sessions */
bit isLost;              /* the instance of the ws session died */

byte runs[ATTEMPTS];     /* of each record: how often a handler ran for it */
byte answeredBy[ATTEMPTS]; /* the answer that a caller got first */
bit isLate;
byte faults = FAULTS;

/* Used within one d_step only. SPIN's breadth-first search, which finds the shortest trail, cannot hide them. */
#ifdef SHORTEST
byte i, r, n;
#else
hidden byte i, r, n;
#endif

/* ── Outcomes ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

inline give(a, outcome) {
  printf("attempt %d gets outcome %d\n", a, outcome);
  assert(at[a].got == 0);                                             /* one outcome */
  at[a].got = outcome;
  at[a].awaits = 0;
  at[a].due = 0;
  r = recordOf(a);
  if
  :: isAnswer(outcome) ->
    n = callOf(outcome);
    assert(call[n].ran && recordOf(attemptOf(n)) == r);               /* the receiver has answered this call */
    assert(at[attemptOf(n)].other == at[a].other);                    /* and it asked for the same */
    assert(answeredBy[r] == 0 || answeredBy[r] == outcome);           /* each repeat gets the same answer */
    answeredBy[r] = outcome
  :: isRefusal(outcome) ->
    assert(!call[idOf(a, 0)].ran && !call[idOf(a, 1)].ran);           /* nothing ran */
    n = record[r].call;
    assert(n == 0 || attemptOf(n) != a);                              /* the key is free */
    assert(n == 0 || at[a].joined == 0 || attemptOf(n) + 1 != at[a].joined)
  :: else
  fi;
#ifndef NO_AWAITED
  at[a].news = 0; at[a].read = 0 /* without effect from now on, like others that are left out: this saves states */
#else
  skip
#endif
}

/* One step of the store with the session's commit: it gives an outcome if the session still awaits it. */
inline bring(a, outcome, fits) {
  if
#ifdef NO_AWAITED
  :: !fits && !at[a].awaits -> skip
#else
  :: !at[a].awaits -> skip
#endif
  :: else ->
    if
    :: fits -> give(a, outcome)
    :: else -> at[a].due = 1
    fi
  fi
}

#ifdef NO_AWAITED
#define isWaiting(a) 1
#else
#define isWaiting(a) (at[a].got == 0)
#endif

/* Puts an outcome on its way to attempts, in memory or over pub/sub. */
inline announce(waiters, outcome) {
  i = 0;
  do
  :: i == ATTEMPTS -> break
  :: else ->
    at[i].news = (((waiters) & BIT(i)) && isWaiting(i) -> outcome : at[i].news);
    i++
  od;
  i = 0
}

inline conclude(a, outcome) {
  at[a].out = outcome;
  at[a].state = BRINGS;
  announce(at[a].others, outcome);
  at[a].others = 0
}

/* ── Steps of the store ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* Adds attempt a, and those that wait with it, to the call of its record; `n` is the result or CONFLICT, or 0. */
inline join(a) {
  r = recordOf(a);
  n = record[r].result;
  if
  :: at[attemptOf(record[r].call)].other != at[a].other -> n = CONFLICT
  :: else ->
    i = 0;
    do
    :: i == ATTEMPTS -> break
    :: else ->
      at[i].joined = (i == a || (at[a].others & BIT(i)) -> attemptOf(record[r].call) + 1 : at[i].joined);
      i++
    od;
    i = 0;
    if
    :: n == 0 -> record[r].waiters = record[r].waiters | BIT(a) | at[a].others
    :: else
    fi
  fi
}

/* Unbinds the key of call c, if it is bound to it; `n` is who waited. */
inline drop(c) {
  r = recordOf(attemptOf(c));
  n = 0;
  if
  :: record[r].call == c ->
    n = record[r].waiters;
    record[r].call = 0; record[r].waiters = 0; record[r].result = 0
  :: else
  fi
}

/* Keeps the first result of call c; `n` is who waited for it. */
inline settle(c, outcome) {
  r = recordOf(attemptOf(c));
  n = 0;
  if
#ifdef FIRST_REPLACED
  :: record[r].call == c ->
#else
  :: record[r].call == c && record[r].result == 0 ->
#endif
    n = record[r].waiters;
    record[r].waiters = 0;
    record[r].result = outcome
  :: else
  fi
}

/* ── Faults ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Of a call of the store. The second has no effect, and is reported so only if that is certain. */
#define HEARS 0          /* no fault */
#define UNHEARD 1        /* it takes effect, and its caller loses the reply */
#define FAILS 2

inline chooseReply(reply) {
  if
  :: reply = HEARS
  :: faults > 0 -> reply = UNHEARD; faults--
  :: faults > 0 -> reply = FAILS; faults--
  fi
}

/* ── The caller, and the instance that makes its call ───────────────────────────────────────────────────────────────── */

#define isSession(s) ((RECEIVERS & BIT(s)) && !(at[a].tried & BIT(s)))

proctype Caller(byte a) {
  byte reply;
  bit fits;
end:
  do
  :: atomic { at[a].state == NEW && (a == 0 || at[a - 1].state != NEW) ->
      if
      :: CALLERS & 1 -> at[a].state = CLAIMED
      :: CALLERS & 2 -> at[a].state = JOINS; at[a].ws = 1; at[a].awaits = 1
      fi;
      if
      :: at[a].other = 0
      :: OTHERS && a > 0 -> at[a].other = 1
      fi;
      printf("attempt %d is sent: on ws %d, another call %d\n", a, at[a].ws, at[a].other)
    }
  /* COMMIT of the batch: the session awaits the call. Only then it is sent. */
  :: atomic { at[a].state == CLAIMED ->
#ifdef DISPATCH_FIRST
      at[a].state = JOINS
    }
  :: atomic { !at[a].ws && at[a].state > CLAIMED && !at[a].awaits && at[a].got == 0 -> at[a].awaits = 1
#else
      chooseReply(reply);
      d_step {
        if
        :: reply == FAILS -> skip /* it tries again */
        :: else ->
          at[a].awaits = 1;
          /* The next try shows that this one was the commit. Whether it sent the call is then unknown: it does not. */
          at[a].state = (reply == HEARS -> JOINS : RESTS)
        fi
      };
      reply = 0
#endif
    }
  :: atomic { at[a].state == JOINS ->
      chooseReply(reply);
      d_step {
        if
        :: !KEYED || record[recordOf(a)].call == 0 || reply == FAILS -> n = 0
        :: else -> join(a)
        fi;
        if
        :: reply != HEARS -> conclude(a, UNAVAILABLE)
        :: n != 0 -> conclude(a, n)
        :: n == 0 && at[a].joined != 0 -> at[a].state = RESTS
        :: else -> at[a].state = FINDS
        fi
      };
      reply = 0
    }
  /* Its session, or the one of its client that was seen last: it may have ended meanwhile. */
  :: atomic { at[a].state == FINDS ->
      if
      :: at[a].due -> conclude(a, TIMEOUT)
      :: else ->
        if
        :: isSession(0) -> at[a].to = 0; at[a].state = OPENS
        :: isSession(1) -> at[a].to = 1; at[a].state = OPENS
        :: (!isSession(0) || ended[0]) && (!isSession(1) || ended[1]) -> conclude(a, NO_RECEIVER)
        fi;
        at[a].tried = at[a].tried | BIT(at[a].to)
      fi
    }
#ifdef DELIVER_FIRST
  :: atomic { at[a].state == OPENS && !call[idOf(a, at[a].to)].frame && !ended[at[a].to] -> call[idOf(a, at[a].to)].frame = 1 }
#endif
  :: atomic { at[a].state == OPENS ->
      chooseReply(reply);
      d_step {
        r = recordOf(a);
        n = 0;
        if
        :: reply == FAILS -> conclude(a, UNAVAILABLE)
#ifndef NO_NX
        :: reply != FAILS && record[r].call != 0 ->
          join(a);
          if
          :: reply == UNHEARD -> conclude(a, UNAVAILABLE)
          :: reply != UNHEARD && n != 0 -> conclude(a, n)
          :: else -> at[a].state = RESTS; at[a].others = 0
          fi
        :: reply != FAILS && record[r].call == 0 ->
#else
        :: else ->
#endif
          record[r].call = idOf(a, at[a].to);
          record[r].waiters = BIT(a) | at[a].others;
          record[r].result = 0;
          at[a].others = 0;
          if
          :: reply == HEARS -> at[a].state = DELIVERS
          :: else -> conclude(a, UNAVAILABLE)
          fi
        fi
      };
      reply = 0
    }
  /* To the outbox of a bridge session. */
  :: atomic { at[a].state == DELIVERS && at[a].to == 0 ->
      chooseReply(reply);
      if
      :: reply == FAILS -> at[a].state = DROPS; at[a].out = UNSENT
      :: reply == FAILS -> conclude(a, UNAVAILABLE)
      :: reply != FAILS && ended[0] -> at[a].state = DROPS; at[a].out = NO_RECEIVER
      :: reply == HEARS && !ended[0] -> at[a].state = DROPS; at[a].out = RATE_LIMITED
      :: reply == HEARS && !ended[0] -> at[a].state = RESTS; call[idOf(a, 0)].frame = 1
      :: reply == UNHEARD && !ended[0] ->
        call[idOf(a, 0)].frame = 1;
#ifdef UNSURE_REFUSED
        at[a].state = DROPS; at[a].out = UNSENT
#else
        conclude(a, UNAVAILABLE)
#endif
      fi;
      reply = 0
    }
  /* To a ws session: on this instance, or by a mail to the instance that it has. */
  :: atomic { at[a].state == DELIVERS && at[a].to == 1 ->
      if
      :: ended[1] -> at[a].state = DROPS; at[a].out = NO_RECEIVER
      :: !ended[1] -> at[a].state = DROPS; at[a].out = RATE_LIMITED
      :: !ended[1] -> at[a].state = RESTS; call[idOf(a, 1)].frame = 1
      :: !isLost -> at[a].state = RESTS; call[idOf(a, 1)].mail = 1; call[idOf(a, 1)].watched = 1
      :: !isLost && faults > 0 -> faults--; call[idOf(a, 1)].mail = 1; conclude(a, UNAVAILABLE)
      :: !isLost && faults > 0 -> faults--; at[a].state = DROPS; at[a].out = UNSENT
      fi
    }
  /* Nothing ran: the key is unbound before the attempt is refused, or before it tries the next session. */
  :: atomic { at[a].state == DROPS ->
#ifdef UNSENT_BINDS
      if
      :: at[a].out == UNSENT -> conclude(a, UNSENT); goto end
      :: else
      fi;
#endif
#ifdef DROP_LATER
      call[idOf(a, at[a].to)].refused = at[a].out;
      conclude(a, at[a].out);
      goto end;
#endif
      chooseReply(reply);
      d_step {
        n = 0;
        if
        :: reply == FAILS -> skip
        :: else -> drop(idOf(a, at[a].to))
        fi;
        n = n & ~BIT(a);
#ifdef NO_FOLLOW
        announce(n, at[a].out);
#else
        at[a].others = n;
#endif
        if
        :: reply != HEARS -> conclude(a, UNAVAILABLE)
        :: reply == HEARS && at[a].out == NO_RECEIVER && RECEIVERS == 3 -> at[a].state = FINDS
        :: else -> conclude(a, at[a].out)
        fi
      };
      reply = 0
    }
  :: atomic { at[a].state == BRINGS ->
      if
      :: fits = 1
      :: faults > 0 -> faults--; fits = 0
      fi;
      d_step {
        bring(a, at[a].out, fits);
        at[a].state = RESTS; at[a].out = 0
      };
      fits = 0
    }
  /* An outcome comes from where the call was settled or dropped. */
  :: atomic { at[a].news != 0 ->
      if
      :: fits = 1
      :: faults > 0 -> faults--; fits = 0
      fi;
      d_step {
        bring(a, at[a].news, fits);
        at[a].news = 0
      };
      fits = 0
    }
  /* Its time is up. Any instance looks for the outcome, and brings it or the time-out. */
#ifdef PATIENT
  :: d_step { timeout && at[a].state != NEW && at[a].got == 0 && !at[a].due ->
      isLate = 1;
      assert(!isLate); /* nobody has to wait for it */
#else
  :: d_step { at[a].state != NEW && at[a].got == 0 && !at[a].due ->
#endif
      at[a].due = 1
    }
#ifndef NO_DEADLINE
  :: atomic { at[a].due && at[a].awaits && at[a].read == 0 ->
      r = recordOf(a);
      if
#ifdef NO_DIGEST
      :: record[r].call != 0 && record[r].result != 0 -> at[a].read = record[r].result
#else
      :: record[r].call != 0 && record[r].result != 0 && at[attemptOf(record[r].call)].other == at[a].other ->
        at[a].read = record[r].result
#endif
      :: at[a].read = TIMEOUT
      fi;
      r = 0
    }
  :: atomic { at[a].read != 0 ->
      if
      :: fits = 1
      :: faults > 0 -> faults--; fits = 0
      fi;
      d_step {
        bring(a, at[a].read, fits);
#ifdef TIMEOUT_UNBINDS
        if
        :: at[a].read == TIMEOUT -> record[recordOf(a)].call = 0; record[recordOf(a)].waiters = 0
        :: else
        fi;
#endif
        at[a].read = 0
      };
      fits = 0
    }
#endif
  /* Its instance dies. A call that no commit has yet is taken over; so is nothing after that. */
  :: d_step { faults > 0 && at[a].got == 0 && ((at[a].state > CLAIMED && at[a].state < RESTS) || (at[a].ws && at[a].state == RESTS)) ->
      printf("the instance that makes attempt %d dies\n", a);
      faults--;
#ifdef DISPATCH_FIRST
      at[a].state = (at[a].ws || at[a].awaits -> RESTS : CLAIMED);
#else
      at[a].state = RESTS;
#endif
      at[a].out = 0; at[a].others = 0; at[a].tried = 0; at[a].to = 0;
      if
      :: at[a].ws -> give(a, LOST)
      :: else
      fi
    }
  /* A notification is lost, with its sender or on its way. */
  :: d_step { faults > 0 && at[a].news != 0 -> faults--; at[a].news = 0; printf("news of attempt %d are lost\n", a) }
  od
}

/* ── The receiver, and the instances that serve it ──────────────────────────────────────────────────────────────────── */

inline settleAndAnnounce(c, outcome, hears) {
  settle(c, outcome);
  printf("call %d is settled: outcome %d, waiters %d, heard %d\n", c, outcome, n, hears);
  if
  :: hears -> announce(n, outcome)
  :: else
  fi
}

/* Whether it makes a difference that the call is settled. */
#ifdef FIRST_REPLACED
#define isOpen(c) 1
#else
#define isOpen(c) (record[recordOf(attemptOf(c))].call == (c) && record[recordOf(attemptOf(c))].result == 0)
#endif

proctype Receiver(byte c) {
  bit hears;
end:
  do
  /* The mail arrives. Later it is ignored. */
  :: atomic { call[c].mail ->
      if
      :: ended[1] && !isLost -> call[c].refused = NO_RECEIVER
      :: !ended[1] -> call[c].refused = RATE_LIMITED
      :: !ended[1] -> call[c].frame = 1
      :: at[attemptOf(c)].due || isLost -> skip
      :: faults > 0 -> faults--
      fi;
      call[c].mail = 0;
      printf("the mail of call %d: delivered %d, refused %d\n", c, call[c].frame, call[c].refused)
    }
  /* Nothing ran: unbinds the key, and refuses those who waited. */
  :: atomic { call[c].refused != 0 ->
      if
      :: hears = 1
      :: faults > 0 -> faults--
      fi;
      d_step {
#ifdef DROP_NEVER
        n = record[recordOf(attemptOf(c))].waiters;
#else
        drop(c);
#endif
#ifdef SILENT_DROP
        n = n & BIT(attemptOf(c));
#endif
        if
        :: hears -> announce(n, call[c].refused)
        :: else
        fi;
        call[c].refused = 0
      };
      hears = 0
    }
  /* The client gets the frame and runs its handler. A frame that is repeated has a seq that it knows. */
#ifdef NO_DEDUP
  :: d_step { call[c].frame ->
#else
  :: d_step { call[c].frame && !call[c].ran ->
#endif
      printf("the receiver runs call %d\n", c);
      r = recordOf(attemptOf(c));
      assert(runs[r] == 0);                                           /* each call runs once */
      runs[r]++;
      call[c].ran = 1;
      i = 0;
      do
      :: i == ATTEMPTS -> break
      :: else ->
        assert(!isRefusal(at[i].got) || (i != attemptOf(c) && at[i].joined != attemptOf(c) + 1)); /* none that was refused */
        i++
      od;
      i = 0
    }
  /* It may answer twice, or never. On ws its answer is lost with its session. */
  :: d_step { call[c].ran && call[c].answers < ANSWERS && call[c].settling == 0 && (sessionOf(c) == 0 || !ended[1]) && isOpen(c) ->
      call[c].settling = ANSWER + 2 * c + call[c].answers;
      call[c].answers++
    }
  :: atomic { call[c].settling != 0 ->
      if
      :: hears = 1
      :: faults > 0 -> faults--
      fi;
      d_step {
        settleAndAnnounce(c, call[c].settling, hears);
        call[c].settling = 0
      };
      hears = 0
    }
  /* Its instance dies. On the bridge another one takes the answer over. */
  :: d_step { faults > 0 && sessionOf(c) == 1 && call[c].settling != 0 -> faults--; call[c].settling = 0 }
  /* The session has ended before it answered. */
  :: atomic { call[c].abandoned ->
      if
      :: hears = 1
      :: faults > 0 -> faults--
      fi;
      d_step {
        settleAndAnnounce(c, TIMEOUT, hears);
        call[c].abandoned = 0
      };
      hears = 0
    }
  :: d_step { faults > 0 && (call[c].abandoned || call[c].refused) ->
      faults--;
      call[c].abandoned = 0; call[c].refused = 0
    }
  /* The instance that sent the mail finds the other one dead. It may err, and it may itself be dead. */
  :: d_step { call[c].watched && !call[c].mail && !isOpen(c) -> call[c].watched = 0 }
  :: d_step { call[c].watched && isLost && isOpen(c) -> call[c].watched = 0; call[c].abandoned = 1 }
  :: d_step { faults > 0 && call[c].watched && !isLost && isOpen(c) -> faults--; call[c].watched = 0; call[c].abandoned = 1 }
  :: d_step { faults > 0 && call[c].watched && isOpen(c) -> faults--; call[c].watched = 0 }
  od
}

inline finish(session) {
  printf("receiving session %d ends\n", session);
  ended[session] = 1;
#ifndef NO_ABANDON
  i = 1;
  do
  :: i > CALLS -> break
  :: else ->
    if
    :: sessionOf(i) == session && call[i].frame && isOpen(i) -> call[i].abandoned = 1
    :: else
    fi;
    i++
  od;
  i = 0
#endif
}

proctype Sessions() {
end:
  do
  :: d_step { (RECEIVERS & 1) && !ended[0] -> finish(0) }
  :: d_step { (RECEIVERS & 2) && !ended[1] -> finish(1) }
  :: d_step { (RECEIVERS & 2) && !isLost && faults > 0 ->
      printf("the instance of receiving session 1 dies\n");
      faults--;
      ended[1] = 1;
      isLost = 1
    }
  od
}

proctype Judge() {
  at[0].got != 0;
#if ATTEMPTS > 1
  at[1].got != 0;
#endif
#if ATTEMPTS > 2
  at[2].got != 0;
#endif
  skip
}

init {
  atomic {
    run Judge();
    run Sessions();
    run Caller(0);
#if RECEIVERS & 1
    run Receiver(idOf(0, 0));
#endif
#if RECEIVERS & 2
    run Receiver(idOf(0, 1));
#endif
#if ATTEMPTS > 1
    run Caller(1);
#if RECEIVERS & 1
    run Receiver(idOf(1, 0));
#endif
#if RECEIVERS & 2
    run Receiver(idOf(1, 1));
#endif
#endif
#if ATTEMPTS > 2
    run Caller(2);
#if RECEIVERS & 1
    run Receiver(idOf(2, 0));
#endif
#if RECEIVERS & 2
    run Receiver(idOf(2, 1));
#endif
#endif
  }
}
