/* The lock protocol: claim, beat, expiry, release and disown of one record (docs/model.md).

   N clients want one lock of one slot. Every write names the generation that it replaces; it may be
   applied, lost before, applied without an answer, or arrive late. "rule: NAME, FILE" says which part
   of the code a step stands for; tests/medium/test_model.py sees to it that there is such a part.

   Nothing here counts up, so runs are of any length:
   - times are what is left of them in ticks of 20 s (TTL is 120 s), and a tick may come at any moment;
   - a generation is a matter of "still the stored one", for it never comes back;
   - of a lease id it is told apart whether its client still goes on with it (else: ORPHAN);
   - a copy of the record keeps by how much its fence is behind the highest token granted: 0, or more.

   -DBUG_... plants a wrong rule; each breaks one of the properties below. */

#ifndef N
#define N 2
#endif

/* rule: Timing, gcs_ci_lock/protocol/timing.py */
#define TTL 6
#define GIVE_UP 4
/* By so much a holder's slow clock makes its GIVE_UP longer: GIVE_UP * 1.25. */
#ifdef BUG_CLOCK_OUT_OF_BOUNDS
#define LAG 2
#else
#define LAG 1
#endif
/* By so much a stamp may be earlier than it should be: the Date headers disagree by ttl/6. */
#define SKEW 1

#if defined(BUG_SAME_BYTES) || defined(BUG_DEADLINE_OF_LAST_ATTEMPT)
#define LAST_ATTEMPT
#endif

#define NOBODY N
#define ORPHAN (N + 1)
#define BIT(client) (1 << (client))

/* rule: Record, gcs_ci_lock/protocol/record.py */
typedef Record {
    byte holder;  /* a client by its lease, ORPHAN or NOBODY */
    byte expires; /* until expires_at of the holder */
    byte left;    /* until its deadline, if this stamp is acknowledged: `_sent[beat]` of its client */
    byte ended;   /* the clients whose lease is in the history */
    bit behind    /* its fence is below the highest token granted */
};

mtype = { FREE, FLYING, APPLIED, REFUSED };       /* a write; APPLIED, REFUSED: not yet answered */
mtype = { OUT, WAIT, SEEN, HOLD, LEAVE, DISOWN }; /* where a client is */
mtype = { NO, YES, GONE };                        /* may a claim of ours still arrive? */

typedef Write {
    mtype state;
    bool grants;
    Record record
};

Record stored;

/* One write of each client that awaits its answer, and N further ones that are in flight though
   their client has stopped to wait for them. */
Write writes[2 * N];

/* rule: LockClient, gcs_ci_lock/locking/client.py */
mtype where[N];
Record view[N];   /* `RecordObject.known` */
bool fresh[N];    /* its generation is still the stored one */
bool certain[N];  /* `RecordObject.certain` */

/* rule: LeaseState, gcs_ci_lock/locking/lease.py */
byte left[N];     /* the client believes that it holds the lock while this is above 0 */

/* rule: Acquisition, gcs_ci_lock/locking/acquisition.py */
mtype stray[N];   /* `_stray`; GONE: the last look saw another generation than the claim named */
bool alive[N];    /* a claim that names the stored generation has been sent */

/* Of the next stamp. Clocks that are as wrong as they may be stand for all others: to expire later or
   to give up sooner adds no run, for nobody has to take over or to go on at once. ANY_CLOCKS tries it. */
#ifdef ANY_CLOCKS
byte lag, skew;
#else
#define lag LAG
#define skew SKEW
#endif

bool quiet = true; /* no time is left to pass */
hidden byte k;
#ifdef LAST_ATTEMPT
byte last_left[N], last_expires[N];
#endif

/* ---- the properties, by the names under which they fail ---- */

hidden byte exclusion;                /* never do two clients believe at once */
hidden byte tokens_strictly_rising;   /* each grant has a higher token than all before */
hidden byte no_renewal_after_give_up; /* neither sent, nor taken for one when its answer comes */
hidden byte no_false_loss;            /* a believed lease is in the record */
hidden byte nothing_left_behind;      /* who left or disowned does not come to hold the lock later */

/* EXCLUSION_ALONE and TOKENS_ALONE leave the others unasked. */
#if defined(EXCLUSION_ALONE) || defined(TOKENS_ALONE)
#define must(property) skip
#else
#define must(property) assert(property)
#endif

#define BELIEVED(c) (left[c] > 0)

inline check_exclusion(c) {
    exclusion = true;
    for (k : 0 .. N - 1) {
        if
        :: k != c && BELIEVED(k) && BELIEVED(c) -> exclusion = false
        :: else
        fi
    }
#ifndef TOKENS_ALONE
    assert(exclusion)
#endif
}

inline check_nothing_left(c) {
    nothing_left_behind = (stored.holder != c);
    for (k : 0 .. 2 * N - 1) {
        if
        :: writes[k].state == FLYING && writes[k].record.holder == c -> nothing_left_behind = false
        :: else
        fi
    }
    must(nothing_left_behind)
}

/* ---- records ---- */

#define copy(to, from)                                                                             \
    to.holder = from.holder;                                                                       \
    to.expires = from.expires;                                                                     \
    to.left = from.left;                                                                           \
    to.ended = from.ended;                                                                         \
    to.behind = from.behind

#define clear(r)                                                                                   \
    r.holder = NOBODY;                                                                             \
    r.expires = 0;                                                                                 \
    r.left = 0;                                                                                    \
    r.ended = 0;                                                                                   \
    r.behind = 0

#define age(r)                                                                                     \
    r.expires = (r.expires > 0 -> r.expires - 1 : 0);                                              \
    r.left = (r.left > 0 -> r.left - 1 : 0);                                                       \
    quiet = quiet && r.expires == 0 && r.left == 0

#define orphan(r, c)                                                                               \
    if                                                                                             \
    :: r.holder == c -> r.holder = ORPHAN; r.left = 0                                              \
    :: else                                                                                        \
    fi;                                                                                            \
    r.ended = r.ended & (31 - BIT(c))

#define take_out(r)                                                                                \
    if                                                                                             \
    :: r.holder < N -> r.ended = r.ended | BIT(r.holder)                                           \
    :: else                                                                                        \
    fi;                                                                                            \
    r.holder = NOBODY;                                                                             \
    r.expires = 0;                                                                                 \
    r.left = 0

/* ---- the bucket ---- */

#define forget(i)                                                                                  \
    writes[i].state = FREE;                                                                        \
    writes[i].grants = false;                                                                       \
    clear(writes[i].record)

/* rule: ObjectStore, gcs_ci_lock/ports.py */
inline arrive(i) {
    if
    :: writes[i].grants ->
        /* Its token is one above the fence of the record that it was made from. */
        tokens_strictly_rising = (writes[i].record.behind == 0);
#ifndef EXCLUSION_ALONE
        assert(tokens_strictly_rising)
#endif
    :: else
    fi;
    copy(stored, writes[i].record);
    for (k : 0 .. N - 1) {
        fresh[k] = false;
        alive[k] = false;
        if
        :: writes[i].grants && certain[k] -> view[k].behind = 1
        :: else
        fi;
#ifndef BUG_NO_GENERATION
        if
        :: certain[k] && (where[k] == HOLD || where[k] == LEAVE) ->
            /* What it knows is out of date, and will be refused whatever it says. */
            clear(view[k]);
            view[k].holder = k
        :: else
        fi
#endif
    }
    for (k : 0 .. 2 * N - 1) {
        if
        :: k != i && writes[k].state == FLYING ->
#ifdef BUG_NO_GENERATION
            if
            :: writes[i].grants -> writes[k].record.behind = 1
            :: else
            fi
#else
            /* It names a generation that never comes back: 412 when it arrives. */
            if
            :: k < N -> forget(k); writes[k].state = REFUSED
            :: else -> forget(k)
            fi
#endif
        :: else
        fi
    }
    if
    :: i < N ->
        copy(view[i], stored);
        fresh[i] = true;
        forget(i);
        writes[i].state = APPLIED
    :: else -> forget(i)
    fi
}

/* rule: RecordStore.read, gcs_ci_lock/locking/record_store.py */
inline look(c) {
    copy(view[c], stored);
    fresh[c] = true;
    certain[c] = true
}

/* rule: RecordStore.write, gcs_ci_lock/locking/record_store.py */
inline send(c, grant) {
    certain[c] = false;
    writes[c].grants = grant;
#ifndef BUG_NO_GENERATION
    if
    :: fresh[c] -> writes[c].state = FLYING
    :: else -> forget(c); writes[c].state = REFUSED
    fi;
#else
    writes[c].state = FLYING;
#endif
    clear(view[c]);
    fresh[c] = false
}

/* One reading of the clock serves the stamp and the deadline. */
inline stamp(c) {
    writes[c].record.holder = c;
    writes[c].record.left = GIVE_UP + lag;
    writes[c].record.expires = TTL - skew;
#ifdef BUG_STAMP_FROM_EARLIEST
    writes[c].record.expires = writes[c].record.expires - 1;
#endif
#ifdef BUG_SAME_BYTES
    if
    :: last_expires[c] > 0 -> writes[c].record.expires = last_expires[c]
    :: else
    fi;
#endif
#ifdef LAST_ATTEMPT
    last_left[c] = writes[c].record.left;
    last_expires[c] = writes[c].record.expires;
#endif
#ifdef ANY_CLOCKS
    lag = 0;
    skew = 0;
#endif
    quiet = false
}

inline any_clock() {
#ifdef ANY_CLOCKS
    if
    :: lag = 0
    :: lag = LAG
    fi;
    if
    :: skew = 0
    :: skew = SKEW
    fi
#else
    skip
#endif
}

#define ANSWERED(c, how) (writes[c].state == how)

inline answer(c) {
    certain[c] = (writes[c].state == APPLIED);
#ifdef LAST_ATTEMPT
    if
    :: certain[c] -> last_expires[c] = 0
    :: else
    fi;
#endif
    forget(c)
}

/* No answer: the write was lost, or has been applied, or flies on. Nothing is concluded.
   rule: OutcomeUnknown, gcs_ci_lock/errors.py */
inline no_answer(c) {
    if
    :: writes[c].state == FLYING ->
        forget(N + c);
        copy(writes[N + c].record, writes[c].record);
        writes[N + c].grants = writes[c].grants;
        writes[N + c].state = FLYING
    :: skip /* an older one may fly on instead */
    fi;
    forget(c);
    clear(view[c]);
    fresh[c] = false;
    certain[c] = false
}

/* The lease id is never used again.
   rule: Acquisition._restart_with_new_lease, gcs_ci_lock/locking/acquisition.py */
inline renounce(c) {
    orphan(stored, c);
    for (k : 0 .. N - 1) {
        orphan(view[k], c)
    }
    for (k : 0 .. 2 * N - 1) {
        orphan(writes[k].record, c)
    }
    clear(view[c]);
    fresh[c] = false;
    certain[c] = false;
    stray[c] = NO;
    alive[c] = false;
#ifdef LAST_ATTEMPT
    last_left[c] = 0;
    last_expires[c] = 0;
#endif
    left[c] = 0
}

/* ---- a client ---- */

/* rule: drop_expired, gcs_ci_lock/protocol/transitions.py */
#ifdef BUG_EARLY_EXPIRY
#define EXPIRED(r) (r.holder != NOBODY && r.expires <= 1)
#else
#define EXPIRED(r) (r.holder != NOBODY && r.expires == 0)
#endif
#define ENDED(r, c) ((r.ended & BIT(c)) != 0)

#ifdef BUG_RENEW_AFTER_GIVE_UP
#define MAY_RENEW(c) true
#else
#define MAY_RENEW(c) BELIEVED(c)
#endif

/* What an earlier attempt did is found in the record.
   rule: LockClient.confirm, gcs_ci_lock/locking/client.py */
inline landed(c) {
#ifdef BUG_DEADLINE_OF_LAST_ATTEMPT
    left[c] = last_left[c];
#else
    left[c] = view[c].left;
#endif
    check_exclusion(c)
}

inline acknowledged(c) {
#ifdef BUG_DEADLINE_FROM_ANSWER
    left[c] = GIVE_UP + LAG;
    quiet = false;
#else
    left[c] = view[c].left;
#endif
    check_exclusion(c)
}

/* Ours, unless it came after its own give-up.
   rule: Acquisition._judge, gcs_ci_lock/locking/acquisition.py */
inline judge(c) {
    if
    :: BELIEVED(c) -> stray[c] = NO; alive[c] = false; where[c] = HOLD
    :: else -> where[c] = LEAVE
    fi
}

/* rule: PendingClaim.observed_absent, gcs_ci_lock/locking/pending_claim.py */
inline seen_outside(c) {
    if
    :: stray[c] == GONE -> stray[c] = NO
    :: else
    fi
}

proctype Client(byte c) {
    do
    :: atomic { where[c] == OUT -> where[c] = WAIT }
    :: atomic { where[c] == OUT -> break }

    /* Killed, or out of patience with a server that does not answer. */
    :: atomic { where[c] != OUT ->
        no_answer(c);
        d_step { renounce(c); where[c] = OUT } }

    /* ---- rule: Acquisition._step, gcs_ci_lock/locking/acquisition.py ---- */
    :: d_step { where[c] == WAIT && ANSWERED(c, FREE) ->
        look(c);
        if
        :: stray[c] == YES && !alive[c] -> stray[c] = GONE
        :: else
        fi;
        where[c] = SEEN }

    /* rule: AlreadyHolding, gcs_ci_lock/protocol/admission.py */
    :: d_step { where[c] == SEEN && view[c].holder == c ->
        landed(c);
        judge(c) }
    /* rule: AlreadyEnded, gcs_ci_lock/protocol/admission.py */
    :: d_step { where[c] == SEEN &&
            (ENDED(view[c], c) || (view[c].holder == c && EXPIRED(view[c]))) ->
        renounce(c);
        where[c] = WAIT }
    /* rule: MustWait, gcs_ci_lock/protocol/admission.py */
    :: d_step { where[c] == SEEN && view[c].holder != c && !ENDED(view[c], c) &&
            view[c].holder != NOBODY ->
        seen_outside(c);
        clear(view[c]); fresh[c] = false; certain[c] = false;
        where[c] = WAIT }
    /* rule: MayClaim, gcs_ci_lock/protocol/admission.py */
    :: atomic { where[c] == SEEN && view[c].holder != c && !ENDED(view[c], c) &&
            (view[c].holder == NOBODY || EXPIRED(view[c])) ->
        any_clock();
        /* rule: LockClient.claim, gcs_ci_lock/locking/client.py */
        d_step {
            copy(writes[c].record, view[c]);
            take_out(writes[c].record);
            /* rule: grant, gcs_ci_lock/protocol/transitions.py */
            stamp(c);
            stray[c] = YES;
            alive[c] = fresh[c];
            send(c, true);
            where[c] = WAIT } }

    /* rule: Acquisition._claim, gcs_ci_lock/locking/acquisition.py */
    :: d_step { where[c] == WAIT && ANSWERED(c, APPLIED) ->
        answer(c);
        acknowledged(c);
        judge(c) }
    :: d_step { where[c] == WAIT && ANSWERED(c, REFUSED) -> answer(c) }
    :: atomic { where[c] == WAIT && !ANSWERED(c, FREE) ->
#ifdef BUG_CONCLUDE_WITHOUT_ANSWER
        d_step { left[c] = GIVE_UP; quiet = false; check_exclusion(c); where[c] = HOLD }
#endif
        no_answer(c) }

    /* Timed out, or stopped. rule: Contender.withdraw, gcs_ci_lock/locking/contender.py */
    :: d_step { where[c] == WAIT && ANSWERED(c, FREE) ->
        if
        :: stray[c] == NO -> check_nothing_left(c); renounce(c); where[c] = OUT
        :: else -> where[c] = DISOWN
        fi }

    /* ---- rule: LockClient.renew, gcs_ci_lock/locking/client.py ---- */
    :: atomic { where[c] == HOLD && ANSWERED(c, FREE) && certain[c] && MAY_RENEW(c) ->
        any_clock();
        d_step {
            no_renewal_after_give_up = BELIEVED(c);
            must(no_renewal_after_give_up);
            /* rule: renew, gcs_ci_lock/protocol/transitions.py */
            copy(writes[c].record, view[c]);
            stamp(c);
            send(c, false) } }
    :: d_step { where[c] == HOLD && ANSWERED(c, FREE) && !certain[c] && BELIEVED(c) ->
        look(c);
        if
        :: view[c].holder == c -> landed(c)
        :: else -> no_false_loss = false; must(no_false_loss); left[c] = 0
        fi }
    /* rule: Keeper._renew, gcs_ci_lock/keepalive/keeper.py */
    :: d_step { where[c] == HOLD && ANSWERED(c, APPLIED) ->
        answer(c);
        if
#ifdef BUG_REVIVED_BY_AN_ANSWER
        :: true ->
#else
        :: BELIEVED(c) ->
#endif
            no_renewal_after_give_up = BELIEVED(c);
            must(no_renewal_after_give_up);
            acknowledged(c)
#ifndef BUG_REVIVED_BY_AN_ANSWER
        :: else
#endif
        fi }
    :: d_step { where[c] == HOLD && ANSWERED(c, REFUSED) -> answer(c) }
    :: atomic { where[c] == HOLD && !ANSWERED(c, FREE) -> no_answer(c) }
    /* The command has ended, or the lease is lost and the command is dead.
       rule: Keeper.run, gcs_ci_lock/keepalive/keeper.py */
    :: atomic { where[c] == HOLD && ANSWERED(c, FREE) ->
        left[c] = 0;
        if
        :: where[c] = LEAVE
        :: where[c] = DISOWN; stray[c] = YES /* rule: Acquisition._entered, gcs_ci_lock/locking/acquisition.py */
        fi }

    /* ---- rule: LockClient.release, gcs_ci_lock/locking/client.py ---- */
    :: d_step { where[c] == LEAVE && ANSWERED(c, FREE) ->
        if
        :: certain[c]
        :: else -> look(c)
        fi;
        if
#ifdef BUG_RELEASE_BY_NAME
        :: view[c].holder != NOBODY ->
#else
        :: view[c].holder == c ->
#endif
            /* rule: release, gcs_ci_lock/protocol/transitions.py */
            copy(writes[c].record, view[c]);
            take_out(writes[c].record);
            send(c, false)
        /* rule: NotHeld, gcs_ci_lock/protocol/transitions.py */
        :: else -> check_nothing_left(c); renounce(c); where[c] = OUT
        fi }
    /* rule: Released, gcs_ci_lock/locking/outcome.py */
    :: d_step { where[c] == LEAVE && ANSWERED(c, APPLIED) ->
        answer(c);
        check_nothing_left(c);
        renounce(c);
        where[c] = OUT }
    :: d_step { where[c] == LEAVE && ANSWERED(c, REFUSED) -> answer(c) }
    :: atomic { where[c] == LEAVE && !ANSWERED(c, FREE) -> no_answer(c) }

    /* ---- rule: LockClient.void_claim, gcs_ci_lock/locking/client.py ---- */
    :: d_step { where[c] == DISOWN && ANSWERED(c, FREE) ->
        look(c);
        if
        :: view[c].holder == c ->
            copy(writes[c].record, view[c]);
            take_out(writes[c].record);
            send(c, false)
        :: view[c].holder != c && !ENDED(view[c], c) ->
#ifdef BUG_NO_REWRITE
            check_nothing_left(c); renounce(c); where[c] = OUT
#else
            copy(writes[c].record, view[c]);
            send(c, false)
#endif
        :: else -> check_nothing_left(c); renounce(c); where[c] = OUT
        fi }
    :: d_step { where[c] == DISOWN && ANSWERED(c, APPLIED) ->
        answer(c);
        check_nothing_left(c);
        renounce(c);
        where[c] = OUT }
    :: d_step { where[c] == DISOWN && ANSWERED(c, REFUSED) -> answer(c) }
    :: atomic { where[c] == DISOWN && !ANSWERED(c, FREE) -> no_answer(c) }
    od
}

proctype Arrival(byte i) {
end:
    do
    :: d_step { writes[i].state == FLYING -> arrive(i) }
    od
}

proctype Time() {
end:
    do
    :: d_step { !quiet ->
        quiet = true;
        age(stored);
        for (k : 0 .. N - 1) {
            age(view[k]);
            left[k] = (left[k] > 0 -> left[k] - 1 : 0);
            quiet = quiet && left[k] == 0;
#ifdef LAST_ATTEMPT
            last_left[k] = (last_left[k] > 0 -> last_left[k] - 1 : 0);
            last_expires[k] = (last_expires[k] > 0 -> last_expires[k] - 1 : 0);
#endif
        }
        for (k : 0 .. 2 * N - 1) {
            age(writes[k].record)
        } }
    od
}

init {
    atomic {
        byte i;
        clear(stored);
        for (i : 0 .. N - 1) {
            where[i] = OUT;
            stray[i] = NO;
            clear(view[i])
        }
        for (i : 0 .. 2 * N - 1) {
            writes[i].state = FREE;
            clear(writes[i].record);
            run Arrival(i)
        }
        for (i : 0 .. N - 1) {
            run Client(i)
        }
        i = 0;
        run Time()
    }
}
