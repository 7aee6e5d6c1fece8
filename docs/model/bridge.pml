/*
 * The bridge (PROTOCOL §9.4) as a model for SPIN: `npm run model`. README.md in this folder lists what is modelled and
 * what is not, and explains how to read a trail.
 *
 * Each option of each `do` is one step, and SPIN explores all interleavings of the steps. Faults happen until EXCHANGES
 * exchanges were sent. Then the run is calm: nothing is lost, no client gives up, no instance crashes, and at most CALM
 * more exchanges must deliver everything that is missing. Assertions state what must hold. A run that gets stuck shows as
 * an invalid end state of the Client, the only process that may not rest before everything is delivered.
 *
 * Defining one of these removes a rule:
 *   upstream     NO_DEDUP NO_GAP_CHECK NO_CLAIM NO_KEY NO_ORDER NO_FENCE NO_TAKEOVER SAME_ID NO_SECOND_LOOK
 *   answers      AHEAD_OF_CLAIMS AHEAD_OF_COMMITS
 *   downstream   NO_CAS NO_REPEAT EARLY_TRIM POSITION_APART NO_DROP
 *   both pass    NO_STALE NO_SUPERSEDE (these rules save time; without them nothing is lost)
 */

/* ── Bounds ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#ifndef MSGS
#define MSGS 2      /* messages up, 0 to 3 */
#endif
#ifndef PUBS
#define PUBS 1      /* publications down */
#endif
#ifndef EXCHANGES
#define EXCHANGES 3 /* sent while faults happen */
#endif
#ifndef CALM
#define CALM 8      /* sent after the faults, at most */
#endif
#ifndef FAULTS
#define FAULTS 2    /* in total, each of any of these kinds: */
#endif
#ifndef CRASHES
#define CRASHES 1   /* an instance dies and restarts: empty, under a new id */
#endif
#ifndef LAPSES
#define LAPSES 1    /* an instance is considered dead, but lives */
#endif
#ifndef STRAYS
#define STRAYS 1    /* a request arrives twice, or after its sender gave it up */
#endif
#ifndef LOST
#define LOST 1      /* a store call takes effect and its caller loses the reply */
#endif

#ifndef AHEAD
#define AHEAD 1     /* any batch may be one that is answered in its exchange, as it has no effect but its answer */
#endif

#define HANDLERS 2               /* exchanges that are served concurrently, on any instance */
#define FRAMES (MSGS + PUBS + 1) /* one too many fits, so that its reader finds it */
#define NOBODY 0
#define DEAD 3                   /* owner of the claims of a crashed instance; 1 and 2 are the instances */
#define PUBLICATION 10           /* a frame is its content: m answers message m, PUBLICATION + p carries publication p */
#define BIT(s) (1 << (s))

/* ── The store ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

byte received;           /* the highest upstream seq that was claimed */
byte sent;               /* the highest downstream seq; it is also the version, as each commit adds a frame */
byte acked;              /* the highest ack ever received: the outbox is acked + 1 .. sent */
byte lastPoll;
byte heldPoll;           /* the newest poll that waits or waited */
byte position;           /* publications 1 .. position are in frames */
byte claim[4];           /* the owner of each open claim */
byte outbox[FRAMES + 1];
byte ran[4];             /* how often each effect happened; also what the idempotency key records */
byte effects;
#ifdef NO_REPEAT
byte handedOut;
#endif

/* ── The network: a request of each of the client's two exchanges, and a stray ──────────────────────────────────────── */

typedef Request { byte poll; byte ack; byte lo; byte hi; bit wait } /* messages lo .. hi; poll 0: none */
Request net[3];

#define copy(from, into) \
  into.poll = from.poll; into.ack = from.ack; into.lo = from.lo; into.hi = from.hi; into.wait = from.wait
#define clear(request) \
  request.poll = 0; request.ack = 0; request.lo = 0; request.hi = 0; request.wait = 0

/* ── The client ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define IDLE 0
#define WAITS 1
#define READY 2          /* an answer with frames first .. last has arrived and is unread */
typedef Exchange { byte state; byte poll; byte first; byte last }
Exchange mine[2];        /* 0: the held poll; 1: with wait 0 */
byte issued;             /* exchanges so far; the number of the last poll */
byte signedUp;           /* messages 1 .. signedUp were sent at least once */
byte answered;           /* messages 1 .. answered have their answers */
byte got;                /* the highest frame processed */
byte gotPublication;
byte sentAs[FRAMES + 1];   /* what was ever sent under each downstream seq: it must not change */

#define isCalm (issued > EXCHANGES)
#define allDelivered (answered == MSGS && gotPublication == PUBS)

/* ── Instances: what a crash erases ──────────────────────────────────────────────────────────────────────────────── */

byte known[3];           /* the claims that instance 1 or 2 knows as its own, as bits */

#define FREE 0
#define SERVES 1
#define PULLED 2         /* signed publications after + 1 .. upTo on `onSent`, did not commit them */
#define UNSURE 3         /* a store call took effect, or did not */
typedef Handler { byte state; byte where; byte poll; byte hi; bit wait; byte onSent; byte after; byte upTo }
Handler handler[HANDLERS];

#define REST 0
#define RUNS 1           /* is about to run the effect */
#define ANSWERS 2        /* ran it and signed the answer on `onSent` */
#define RELOADS 3          /* its commit was refused, or its outcome is unknown */
typedef Runner { byte state; byte seq; byte onSent }
Runner runner[3];        /* runs what its instance knows as its own, whether or not an exchange waits for it */

/* ── Remaining faults ───────────────────────────────────────────────────────────────────────────────────────────── */

byte faults = FAULTS;
#define mayCrash (CRASHES && faults > 0)
#define mayLapse (LAPSES && faults > 0)
#define mayStray (STRAYS && faults > 0 && net[2].poll == 0)
#define mayLose (LOST && faults > 0)

/* Used within one d_step only. SPIN's breadth-first search, which finds the shortest trail, cannot hide them. */
#ifdef SHORTEST
byte s, f, n, outcome;
#else
hidden byte s, f, n, outcome;
#endif

/* ── The client ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

inline send(slot, from, upTo) {
  d_step {
    issued++;
    mine[slot].state = WAITS;
    mine[slot].poll = issued;
    net[slot].poll = issued;
    net[slot].ack = got;
    net[slot].wait = (slot == 0);
    if
    :: from <= upTo ->
      net[slot].lo = from;
      net[slot].hi = upTo;
      signedUp = (upTo > signedUp -> upTo : signedUp)
    :: else -> /* none */
      net[slot].lo = 1;
      net[slot].hi = 0
    fi;
    printf("client sends poll %d: messages %d..%d, ack %d, wait %d\n", issued, net[slot].lo, net[slot].hi, got, net[slot].wait)
  }
}

/* Gives up what is in flight in a slot that is reused. Its request may still arrive. */
inline giveUp(slot) {
  if
  :: net[slot].poll != 0 && mayStray -> faults--; copy(net[slot], net[2]); printf("poll %d is late\n", net[2].poll)
  :: skip
  fi;
  clear(net[slot]);
  mine[slot].first = 0;
  mine[slot].last = 0
}

/* Frames count in order; duplicates are dropped; a hole is a failed answer. */
inline read(slot) {
  if
  :: mine[slot].first > got + 1 -> printf("client sees a hole in the answer to poll %d\n", mine[slot].poll)
  :: else ->
    printf("client reads the answer to poll %d: frames %d..%d\n", mine[slot].poll, mine[slot].first, mine[slot].last);
    f = mine[slot].first;
    do
    :: f > mine[slot].last -> break
    :: else ->
      if
#ifndef NO_DROP
      :: f <= got
#endif
      :: else ->
        if
        :: sentAs[f] > PUBLICATION ->
          assert(sentAs[f] == PUBLICATION + gotPublication + 1); /* each publication arrives once, in order */
          gotPublication++
        :: else ->
          assert(sentAs[f] == answered + 1);                     /* each message is answered once, in order */
          assert(ran[sentAs[f]] == 1);                           /* and has run */
          answered++
        fi;
        got = (f > got -> f : got)
      fi;
      f++
    od
  fi;
  mine[slot].state = IDLE; mine[slot].poll = 0; mine[slot].first = 0; mine[slot].last = 0
}

#define isServed(number) (handler[0].poll == number || handler[1].poll == number)
#define isUnused(slot) \
  (mine[slot].state == IDLE || (mine[slot].state == WAITS && net[slot].poll == 0 && !isServed(mine[slot].poll)))

proctype Client() {
  byte k, lo, hi;
  do
  /* Sends some new messages or none, and repeats those without an answer or not. */
  :: atomic { issued < EXCHANGES ->
      if
      :: k = 0
      :: k = 1
      fi;
      if
      :: lo = answered + 1
      :: answered < signedUp && signedUp < MSGS -> lo = signedUp + 1
      fi;
      if
      :: hi = signedUp
      :: signedUp < MSGS -> hi = signedUp + 1
      :: signedUp + 1 < MSGS -> hi = MSGS
      fi;
      giveUp(k);
      send(k, lo, hi);
      k = 0; lo = 0; hi = 0
    }
  /* The calm begins: it repeats all messages without an answer. */
  :: atomic { issued == EXCHANGES && !allDelivered ->
      giveUp(0);
      faults = 0;
      printf("the faults stop\n");
      send(0, answered + 1, MSGS)
    }
  /* In the calm: with a poll that waits or, while one is held, beside it. It gives up only exchanges that are gone. */
  :: atomic { isCalm && !allDelivered && (isUnused(0) || (isUnused(1) && answered < MSGS)) ->
      assert(issued < EXCHANGES + CALM); /* after the faults stop, everything is delivered */
      k = (isUnused(0) -> 0 : 1);
      send(k, answered + 1, MSGS);
      k = 0
    }
  :: d_step { mine[0].state == READY -> read(0) }
  :: d_step { mine[1].state == READY -> read(1) }
  :: atomic { issued >= EXCHANGES && allDelivered ->
      mine[0].state = IDLE; mine[0].poll = 0; mine[1].state = IDLE; mine[1].poll = 0;
      break
    }
  od;
  assert(effects == MSGS)
}

/* ── Steps of the store ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* outcome */
#define TAKEN 1
#define STALE 2
#define BEYOND 3

/* EXCHANGE of request i at an instance. Leaves `outcome`, and in `n` what it claimed, as bits. */
inline exchange(i, instance) {
  n = 0;
  outcome = TAKEN;
  if
  :: net[i].lo <= net[i].hi && net[i].lo > received + 1 ->
#ifdef NO_GAP_CHECK
    received = net[i].lo - 1
#else
    outcome = BEYOND
#endif
  :: else
  fi;
  if
  :: outcome == TAKEN ->
    if
#ifndef NO_STALE
    :: net[i].poll <= lastPoll -> outcome = STALE
#endif
    :: else ->
      lastPoll = (net[i].poll > lastPoll -> net[i].poll : lastPoll);
      acked = (net[i].ack > acked -> net[i].ack : acked);
      if
      :: net[i].wait && net[i].poll > heldPoll -> heldPoll = net[i].poll
      :: else
      fi
    fi;
    s = net[i].lo;
    do
    :: s > net[i].hi -> break
    :: else ->
      if
#ifdef NO_DEDUP
      :: claim[s] == NOBODY ->
#else
      :: s > received ->
#endif
#ifndef NO_CLAIM
        claim[s] = instance;
        received = (s > received -> s : received);
#endif
        n = n | BIT(s)
      :: else
      fi;
      s++
    od
  :: else
  fi
}

inline append(frame) {
  assert(sent < FRAMES);
  sent++;
  outbox[sent] = frame
}

/* EXCHANGE of request i with the answers to its messages: nothing is claimed. Running and answering them is this step. */
inline exchangeWithAnswers(i) {
  outcome = TAKEN;
  n = 0;
  lastPoll = net[i].poll;
  acked = (net[i].ack > acked -> net[i].ack : acked);
  heldPoll = (net[i].wait && net[i].poll > heldPoll -> net[i].poll : heldPoll);
#ifdef AHEAD_OF_COMMITS
  sent = net[i].ack;
#endif
  s = net[i].lo;
  do
  :: s > net[i].hi -> break
  :: else ->
    assert(ran[s] == 0); /* each message runs once */
    ran[s] = 1;
    effects++;
    assert(s == effects); /* and in order */
    append(s);
    s++
  od;
  received = net[i].hi
}

/* ── Exchanges at the instances ─────────────────────────────────────────────────────────────────────────────────────── */

#ifdef NO_REPEAT
#define firstFrame (handedOut + 1)
#else
#define firstFrame (acked + 1)
#endif

#define copyHandler(from, into) \
  into.state = from.state; into.where = from.where; into.poll = from.poll; into.hi = from.hi; into.wait = from.wait; \
  into.onSent = from.onSent; into.after = from.after; into.upTo = from.upTo
#define clearHandler(it) \
  it.state = FREE; it.where = 0; it.poll = 0; it.hi = 0; it.wait = 0; it.onSent = 0; it.after = 0; it.upTo = 0

/* Handler 1 is used only while handler 0 is: which of the two serves makes no difference and need not be explored. */
inline release(h) {
  if
  :: h == 0 -> copyHandler(handler[1], handler[0])
  :: else
  fi;
  clearHandler(handler[1])
}

/* Sends frames to the client, if it waits for this poll. */
inline answer(number, waits, from, upTo) {
  s = (waits -> 0 : 1);
  if
  :: mine[s].state == WAITS && mine[s].poll == number ->
    mine[s].state = READY;
    printf("poll %d is answered: frames %d..%d\n", number, from, upTo);
    if
    :: from <= upTo ->
      mine[s].first = from;
      mine[s].last = upTo
    :: else
    fi
  :: else
  fi;
  s = from;
  do
  :: s > upTo -> break
  :: else ->
    assert(sentAs[s] == 0 || sentAs[s] == outbox[s]); /* repeated byte for byte */
    sentAs[s] = outbox[s];
    s++
  od
}

inline pull(newest) {
  handler[h].onSent = sent;
  handler[h].after = position;
  handler[h].upTo = newest;
#ifdef POSITION_APART
  position = newest;
#endif
  handler[h].state = PULLED;
  printf("instance %d signs publications %d..%d on %d\n", handler[h].where, position + 1, newest, sent)
}

/* The answers were signed on the stored state: its claims are all answered, and the client has all its frames. */
#ifdef AHEAD_OF_CLAIMS
#define nothingIsOpen 1
#else
#define nothingIsOpen (!openUpTo(MSGS))
#endif
#ifdef AHEAD_OF_COMMITS
#define isSignedOnNewest(request) (request.ack <= sent)
#else
#define isSignedOnNewest(request) (request.ack == sent)
#endif
#define mayAnswerAhead(request) \
  (AHEAD && request.lo <= request.hi && request.lo == received + 1 && request.poll > lastPoll && nothingIsOpen && \
   isSignedOnNewest(request))

#define hasFree (handler[0].state == FREE || handler[1].state == FREE)
#define isOpen(m) (claim[m] != NOBODY)
#define openUpTo(m) ((m >= 1 && isOpen(1)) || (m >= 2 && isOpen(2)) || (m >= 3 && isOpen(3)))
#define ownAnswered (received >= handler[h].hi && !openUpTo(handler[h].hi))
#define isAwaited \
  ((mine[0].state == WAITS && mine[0].poll == handler[h].poll) || (mine[1].state == WAITS && mine[1].poll == handler[h].poll))
#ifdef NO_SUPERSEDE
#define isSuperseded 0
#else
#define isSuperseded (handler[h].wait && handler[h].poll < heldPoll)
#endif
/* Its messages are answered and frames wait; or its time is up; or its client is gone. */
#define mayAnswer (isSuperseded || !isCalm || !isAwaited || (ownAnswered && (!handler[h].wait || firstFrame <= sent)))

/* Another instance's claim is taken over if that instance is dead or considered dead. */
#define mayTake(m) (claim[m] == DEAD || (mayLapse && isOpen(m) && claim[m] != handler[h].where))

/* Requests arrive at any instance, at any time, in any order. Symmetry: the first that counts arrives at instance 1. */
proctype Network() {
  byte i, h, to;
  bit hears, ahead;
end:
  do
  :: atomic { (net[0].poll != 0 || net[1].poll != 0 || net[2].poll != 0) && hasFree ->
      if
      :: net[0].poll != 0 -> i = 0
      :: net[1].poll != 0 -> i = 1
      :: net[2].poll != 0 -> i = 2
      fi;
      h = (handler[0].state == FREE -> 0 : 1);
      if
      :: to = 1
      :: lastPoll != 0 -> to = 2
      fi;
      if
      :: hears = 1
      :: mayLose -> hears = 0; faults--
      fi;
      if
      :: i != 2 && mayStray -> faults--; copy(net[i], net[2]); printf("poll %d will arrive twice\n", net[2].poll)
      :: skip
      fi;
      if
      :: mayAnswerAhead(net[i]) -> ahead = 1
      :: skip
      fi;
      d_step {
        if
        :: ahead -> exchangeWithAnswers(i)
        :: else -> exchange(i, to)
        fi;
        printf("instance %d gets poll %d: outcome %d, received is %d, answered %d, heard %d\n", to, net[i].poll, outcome, received, ahead, hears);
        if
        :: !hears ->
          handler[h].state = UNSURE;
          handler[h].where = to
        :: else ->
          known[to] = known[to] | n;
          if
          :: outcome == TAKEN ->
            handler[h].state = SERVES;
            handler[h].where = to;
            handler[h].poll = net[i].poll;
            handler[h].hi = net[i].hi;
            handler[h].wait = net[i].wait
          :: else -> answer(net[i].poll, net[i].wait, 1, 0) /* 409, or `polled` alone */
          fi
        fi;
        clear(net[i])
      };
      i = 0; h = 0; to = 0; hears = 0; ahead = 0
    }
  od
}

proctype Exchanges(byte h) {
  bit hears;
end:
  do
  /* It lost the reply of its call. It reads the state and learns which claims are its own; its client gets no answer. */
  :: d_step { handler[h].state == UNSURE ->
#ifndef NO_SECOND_LOOK
      printf("instance %d reads the state again\n", handler[h].where);
      s = 1;
      do
      :: s > MSGS -> break
      :: else ->
        if
        :: claim[s] == handler[h].where -> known[handler[h].where] = known[handler[h].where] | BIT(s)
        :: else
        fi;
        s++
      od;
#endif
      release(h)
    }
#ifndef NO_TAKEOVER
  :: atomic { handler[h].state == SERVES && (mayTake(1) || mayTake(2) || mayTake(3)) ->
      if
      :: hears = 1
      :: mayLose -> hears = 0; faults--
      fi;
      d_step {
        n = 0;
        s = 1;
        do
        :: s > MSGS -> break
        :: else ->
          if
          :: mayTake(s) ->
            printf("instance %d takes over message %d of %d, heard %d\n", handler[h].where, s, claim[s], hears);
            n = (claim[s] != DEAD -> 1 : n);
            claim[s] = handler[h].where;
            if
            :: hears -> known[handler[h].where] = known[handler[h].where] | BIT(s)
            :: else -> handler[h].state = UNSURE
            fi
          :: else
          fi;
          s++
        od;
        faults = faults - n
      };
      hears = 0
    }
#endif
  /* Signs the publications after the session's position. When they were published matters to this reader only. */
  :: d_step { handler[h].state == SERVES && !isSuperseded && position < PUBS -> pull(position + 1) }
#if PUBS > 1
  :: d_step { handler[h].state == SERVES && !isSuperseded && position + 1 < PUBS -> pull(PUBS) }
#endif
  /* COMMIT: frames and position in one step, if nothing was committed since it read the state. */
  :: d_step { handler[h].state == PULLED ->
      if
#ifdef NO_CAS
      :: true ->
        sent = handler[h].onSent;
#else
      :: sent == handler[h].onSent ->
#endif
        s = handler[h].after;
        do
        :: s >= handler[h].upTo -> break
        :: else -> s++; append(PUBLICATION + s)
        od;
        position = handler[h].upTo;
        printf("instance %d commits publications: sent is %d\n", handler[h].where, sent)
      :: else
      fi;
      handler[h].onSent = 0; handler[h].after = 0; handler[h].upTo = 0;
      handler[h].state = SERVES
    }
  :: d_step { handler[h].state == SERVES && mayAnswer ->
      if
      :: isSuperseded -> answer(handler[h].poll, handler[h].wait, 1, 0)
      :: else ->
        answer(handler[h].poll, handler[h].wait, firstFrame, sent);
#ifdef NO_REPEAT
        handedOut = sent;
#endif
#ifdef EARLY_TRIM
        acked = sent;
#endif
      fi;
      release(h)
    }
  od
}

/* ── Messages at the instances ──────────────────────────────────────────────────────────────────────────────────────── */

#define knows(m) (known[me] & BIT(m))
#ifdef NO_CLAIM
#define isMine(m) knows(m)
#else
#define isMine(m) (knows(m) && claim[m] == me)
#endif
#if defined(NO_ORDER) || defined(NO_CLAIM)
#define isNext(m) isMine(m)
#else
#define isNext(m) (isMine(m) && !openUpTo(m - 1))
#endif
#define isForeign(m) (knows(m) && claim[m] != me)
#if defined(NO_FENCE) || defined(NO_CLAIM)
#define isOwner 1
#else
#define isOwner (claim[runner[me].seq] == me)
#endif

inline forget() {
  known[me] = known[me] & ~BIT(runner[me].seq);
  runner[me].state = REST; runner[me].seq = 0; runner[me].onSent = 0
}

proctype Messages(byte me) {
  bit hears;
end:
  do
  /* The lowest open claim, if it is its own. */
  :: d_step { runner[me].state == REST && (isNext(1) || isNext(2) || isNext(3)) ->
      runner[me].seq = (isNext(1) -> 1 : (isNext(2) -> 2 : 3));
      runner[me].onSent = sent;
      runner[me].state = RUNS;
      printf("instance %d picks message %d\n", me, runner[me].seq)
    }
#ifndef NO_CLAIM
  /* A claim that another instance took over is no longer its own. */
  :: d_step { runner[me].state == REST && (isForeign(1) || isForeign(2) || isForeign(3)) ->
      s = 1;
      do
      :: s > MSGS -> break
      :: else ->
        known[me] = (claim[s] == me -> known[me] : known[me] & ~BIT(s));
        s++
      od;
      s = 0
    }
#endif
  /* Runs it under the key sessionId:seq: a known key has no effect and returns the first result. */
  :: d_step { runner[me].state == RUNS ->
      if
#ifndef NO_KEY
      :: ran[runner[me].seq] != 0
#endif
      :: else ->
        assert(ran[runner[me].seq] == 0); /* each effect happens once */
        ran[runner[me].seq] = 1;
        effects++;
        assert(runner[me].seq == effects) /* and in order */
      fi;
      runner[me].state = ANSWERS;
      printf("instance %d has run message %d\n", me, runner[me].seq)
    }
  /* COMMIT of the answer, if nothing was committed since it read the state, and the claim is still its own. */
  :: atomic { runner[me].state == ANSWERS ->
      if
      :: hears = 1
      :: mayLose -> hears = 0; faults--
      fi;
      d_step {
        if
#ifdef NO_CAS
        :: isOwner ->
          sent = runner[me].onSent;
#else
        :: isOwner && sent == runner[me].onSent ->
#endif
          append(runner[me].seq);
          printf("instance %d commits the answer to %d as frame %d, heard %d\n", me, runner[me].seq, sent, hears);
          claim[runner[me].seq] = NOBODY;
#ifdef NO_CLAIM
          received = (runner[me].seq > received -> runner[me].seq : received);
#endif
          if
          :: hears -> forget()
          :: else -> runner[me].state = RELOADS
          fi
        :: else ->
          printf("instance %d is refused the answer to %d\n", me, runner[me].seq);
          runner[me].state = RELOADS
        fi
      };
      hears = 0
    }
  /* Reads the state again. It signs again, on the current state, what is still its own. */
  :: d_step { runner[me].state == RELOADS ->
      if
      :: !isOwner -> forget()
      :: else ->
        runner[me].onSent = sent;
        runner[me].state = ANSWERS
      fi
    }
  od
}

/* ── Crashes ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define isBusy(who) (known[who] != 0 || runner[who].state != REST || handler[0].where == who || handler[1].where == who)

inline crash(who) {
  printf("instance %d crashes\n", who);
  faults--;
  if
  :: handler[1].where == who -> release(1)
  :: else
  fi;
  if
  :: handler[0].where == who -> release(0)
  :: else
  fi;
#ifndef SAME_ID
  s = 1;
  do
  :: s > MSGS -> break
  :: else ->
    claim[s] = (claim[s] == who -> DEAD : claim[s]);
    s++
  od;
#endif
  runner[who].state = REST; runner[who].seq = 0; runner[who].onSent = 0;
  known[who] = 0
}

proctype Crashes() {
end:
  do
  :: d_step { mayCrash && isBusy(1) -> crash(1) }
  :: d_step { mayCrash && isBusy(2) -> crash(2) }
  od
}

init {
  atomic {
    run Client();
    run Network();
    run Exchanges(0);
    run Exchanges(1);
    run Messages(1);
    run Messages(2);
    run Crashes()
  }
}
