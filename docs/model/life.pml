/*
 * The life of one request, with everybody who moves it: two workers, the sweep, the browser that
 * waits for the key, a lead, somebody who revokes, a stranger with a token of the same name, and AWS.
 *
 * `make check` has spin look at every interleaving of them, with crashes of workers anywhere and with
 * AWS failing before, after or long after the effect of a call. What it asks:
 *
 *   - nobody's token but ours is deleted;
 *   - one key at most is handed out, and it works then;
 *   - "the name is taken" is said only where a stranger has taken it;
 *   - every run ends, and at its end the request has ended, nothing of ours is left at AWS, and no
 *     doubt about it is left on the row.
 *
 * Each `inline` whose name begins with `move_` is a move of portal/life/moves.py under the same
 * name; tests/test_model.py compares from where they start and to what they lead. What is left out:
 * several requests, times (only their order counts), and what people read.
 *
 * Assumptions, each a fact of docs/RELIABILITY.md: AMG lets one token of a name live in a workspace;
 * a list misses what was made within the last second; a create has its effect while its signature is
 * good or never; a worker begins no call once its lease may be over; a stranger's token of our name
 * was made before or after the attempts of the request.
 *
 * A -D switch takes one step of the protocol away. docs/RELIABILITY.md shows what comes of each.
 */

#ifndef ATTEMPTS
#define ATTEMPTS 4      /* claims; a request that needs more is given up by the hour's limit */
#endif
#ifndef CRASHES
#define CRASHES 1       /* workers that die, each at any step */
#endif
#ifndef FAULTS
#define FAULTS 2        /* calls to AWS that fail in some way */
#endif
#define MOST_DUPLICATE_ANSWERS 2    /* 5 in the portal: less to look at, and the same rule */

mtype = { NONE, AWAITING_APPROVAL, AWAITING_RECIPIENT, QUEUED, ISSUING, SEALED, ACTIVE,
          REVOKING, REVOKED, EXPIRED, FAILED, DENIED, CANCELLED };

/* The row. */
mtype state = NONE;
byte attempt = 0;               /* the number of the last claim */
bool unresolved = false;        /* a create may have had an effect that nobody saw */
bool cancel_requested = false;
bool under_notice = false;      /* somebody ends it with notice, and it can be kept */
byte row_token = 0;             /* aws_token_id */
byte orphan = 0;                /* orphan_id: its deletion was begun */
byte duplicate_answers = 0;

/* AWS. Tokens have numbers from 1; one of our name lives at most. */
byte at_aws = 0;                /* the token that has the name now */
bool is_ours = false;           /* whether this request made it */
bool is_over = false;           /* its lifetime has ended: it is listed, and opens nothing */
bool is_fresh = false;          /* made so lately that a list may miss it */
byte last_token = 0;
byte in_flight = 0;             /* creates that were sent and may yet have their effect */

/* Time, as far as it matters. */
byte may_call = 0;              /* the attempt that may still begin a call to AWS */
bool signature_good = false;    /* a create of the last attempt may still have its effect */
bool holder_died = false;

/* What people hold, and what may still go wrong. */
byte handed_out = 0;            /* the token whose key a browser has shown */
byte crashes = CRASHES, faults = FAULTS;
byte revocations = 1, policy_changes = 1, early_looks = 1;
bool stranger_was_here = false;

/* -- Moves ------------------------------------------------------------------------------------ */

inline move_adopt() { assert(state == NONE); state = ACTIVE }
inline move_request() { assert(state == NONE); state = QUEUED }
inline move_request_approval() { assert(state == NONE); state = AWAITING_APPROVAL }
inline move_request_for_recipient() { assert(state == NONE); state = AWAITING_RECIPIENT }
inline move_approve() { assert(state == AWAITING_APPROVAL); state = AWAITING_RECIPIENT }
inline move_deny() { assert(state == AWAITING_APPROVAL); state = DENIED }
inline move_collect() { assert(state == AWAITING_RECIPIENT); state = QUEUED }
inline move_cancel() {
    assert(state == AWAITING_APPROVAL || state == AWAITING_RECIPIENT || state == QUEUED);
    state = CANCELLED
}
inline move_withdraw() { assert(state == ISSUING); cancel_requested = true }
inline move_ask_approval() { assert(state == AWAITING_RECIPIENT); state = AWAITING_APPROVAL }
inline move_undo_approval() { assert(state == AWAITING_RECIPIENT); state = AWAITING_APPROVAL }
inline move_claim() { assert(state == QUEUED); state = ISSUING }
inline move_drop_withdrawn() { assert(state == ISSUING); state = CANCELLED }
inline move_requeue() { assert(state == ISSUING); state = QUEUED }
inline move_fail() { assert(state == QUEUED || state == ISSUING); state = FAILED }
inline move_cancel_attempt() { assert(state == ISSUING); state = CANCELLED }
inline move_ask_approval_again() { assert(state == ISSUING); state = AWAITING_APPROVAL }
inline move_seal_withdrawn() { assert(state == ISSUING); state = REVOKING }
inline move_seal() { assert(state == ISSUING); state = SEALED }
#ifdef DELIVER_WITHOUT_CONDITION
inline move_deliver() { state = ACTIVE }
#else
inline move_deliver() { assert(state == SEALED); state = ACTIVE }
#endif
inline move_give_up_unclaimed() { assert(state == SEALED); state = REVOKING }
inline move_begin_revocation() { assert(state == SEALED || state == ACTIVE); state = REVOKING }
inline move_give_notice() { assert(state == ACTIVE && !under_notice); under_notice = true }
inline move_keep() { assert(state == ACTIVE && under_notice); under_notice = false }
inline move_revoke_ended() { assert(state == EXPIRED || state == REVOKED); state = REVOKING }
inline move_revoked() { assert(state == REVOKING); state = REVOKED }
inline move_outlive() { assert(state == REVOKING); state = REVOKED }
inline move_expire() { assert(state == ACTIVE); state = EXPIRED }
inline move_prune() { assert(state == EXPIRED || state == REVOKED); skip }

/* -- Calls to AWS ----------------------------------------------------------------------------- */

/* answer: 0 is a failure that says nothing of the effect; 1 is done. A token that is gone is done. */
inline call_delete(id, answer) {
    atomic {
        assert(id != 0);
        if
        :: at_aws == id ->
            assert(is_ours);
            if
            :: at_aws = 0; is_ours = false; is_over = false; is_fresh = false; answer = 1
            :: faults > 0 -> faults--; answer = 0
            :: faults > 0 -> faults--; answer = 0;
                at_aws = 0; is_ours = false; is_over = false; is_fresh = false
            fi
        :: else ->
            if
            :: answer = 1
            :: faults > 0 -> faults--; answer = 0
            fi
        fi
    }
}

/* answer: 0 failed, 1 listed; found is the orphan that the list shows, 0 for none. */
inline call_list(found, answer) {
    atomic {
        found = 0;
        if
        :: faults > 0 -> faults--; answer = 0
        :: answer = 1;
            if
            :: at_aws != 0 && at_aws != row_token && !is_fresh ->
#ifdef MATCH_BY_NAME_ALONE
                found = at_aws
#else
                if
                :: is_ours -> found = at_aws
                :: else
                fi
#endif
            :: else
            fi;
            is_fresh = false
        fi
    }
}

inline take_effect() {
    last_token++; at_aws = last_token; is_ours = true; is_over = false; is_fresh = true
}

/* answer: 0 unknown outcome, 1 made (id), 2 the name exists, 3 not now, 4 refused. */
inline call_create(id, answer) {
    atomic {
        id = 0;
        signature_good = true;
        if
        :: at_aws == 0 -> take_effect(); id = at_aws; answer = 1
        :: at_aws != 0 -> answer = 2
        :: faults > 0 -> faults--; answer = 0;          /* it took effect, and nobody heard */
            if
            :: at_aws == 0 -> take_effect()
            :: else
            fi
        :: faults > 0 -> faults--; answer = 0; in_flight++   /* it may take effect later */
        :: faults > 0 -> faults--; answer = 0                /* it never will */
        :: faults > 0 -> faults--; answer = 3
        :: faults > 0 -> faults--; answer = 4
        fi
    }
}

inline time_is_over() {
    if
    :: at_aws == row_token && row_token != 0 -> is_over = true
    :: else
    fi
}

/* -- A worker --------------------------------------------------------------------------------- */

/* What a known outcome says; an earlier unknown outcome stays unknown. */
inline is_known() {
    if
    :: !was_unresolved -> unresolved = false
    :: else
    fi
}

inline finish_requeue(known, answers) {
    atomic {
        if
        :: state == ISSUING && attempt == my ->
            if
            :: known -> is_known()
            :: else
            fi;
            duplicate_answers = answers;
            if
            :: cancel_requested -> move_drop_withdrawn()
            :: else -> move_requeue()
            fi
        :: else
        fi
    }
}

inline finish_fail(known) {
    atomic {
        if
        :: state == ISSUING && attempt == my ->
            if
            :: known -> is_known()
            :: else
            fi;
            if
            :: cancel_requested -> move_drop_withdrawn()
            :: else -> move_fail()
            fi
        :: else
        fi
    }
}

inline or_crash() {
    if
    :: crashes > 0 -> crashes--; goto died
    :: skip
    fi
}

proctype Worker() {
    byte my, id, found, answer;
    bool was_unresolved, removed, looked_twice;
idle:
    skip;
    d_step { my = 0; id = 0; found = 0; answer = 0; was_unresolved = false; removed = false;
             looked_twice = false };
end_idle:
    /* 1. Claim: the row says at once that a create may have had an effect. */
    atomic {
        state == QUEUED && attempt < ATTEMPTS ->
        move_claim();
        attempt++;
        my = attempt;
        was_unresolved = unresolved;
#ifndef CLAIM_WITHOUT_DOUBT
        unresolved = true;
#endif
        signature_good = true;
        may_call = my;
        holder_died = false;
        or_crash();
#ifdef CREATE_WITHOUT_LOOKING
        goto ask_policy
#else
        if
        :: was_unresolved -> goto look
        :: else -> goto ask_policy
        fi
#endif
    };

    /* 2. Remove what an earlier attempt may have left. */
look:
    atomic {
        found = orphan;
        if
        :: found != 0 && may_call != my -> goto not_now
        :: found != 0 && may_call == my ->
            call_delete(found, answer);
            or_crash();
            if
            :: answer == 0 -> goto not_now
            :: else
            fi
        :: else -> goto list
        fi
    };
    atomic { orphan = 0; removed = true; or_crash() };
list:
    atomic {
        if
        :: may_call != my -> goto not_now
        :: else
        fi;
        call_list(found, answer);
        or_crash();
        if
        :: answer == 0 -> goto not_now
        :: answer != 0 && found != 0 -> skip
        :: answer != 0 && found == 0 && !removed && !looked_twice ->
            looked_twice = true;
#ifndef LOOK_ONCE
            goto look
#else
            goto looked
#endif
        :: else -> goto looked
        fi
    };
    atomic { orphan = found; or_crash() };
    atomic {
        call_delete(found, answer);
        or_crash();
        if
        :: answer == 0 -> goto not_now
        :: else
        fi
    };
    atomic { orphan = 0; removed = true; or_crash() };
looked:
    atomic {
        found = 0;
        answer = 0;
        if
        :: duplicate_answers > 0 && !removed -> goto name_is_taken
        :: else
        fi
    };

ask_policy:
    /* 3. Policy may have changed. */
    atomic {
        if
        :: policy_changes > 0 && !was_unresolved -> policy_changes--;
            if
            :: state == ISSUING && attempt == my ->
                is_known();
                if
                :: cancel_requested -> move_drop_withdrawn()
                :: else ->
                    if
                    :: move_cancel_attempt()
                    :: move_ask_approval_again()
                    fi
                fi
            :: else
            fi;
            goto end_attempt
        :: skip
        fi
    };

create:
    /* 4. Call AWS, once. */
    atomic {
        if
        :: may_call != my -> goto not_now
        :: else
        fi;
        call_create(id, answer);
        or_crash();
        if
        :: answer == 1 -> goto store
        :: answer == 2 -> goto name_exists
        :: answer == 3 -> goto refused_for_now
        :: answer == 4 -> goto refused
        :: else
        fi
    };
    /* Its outcome is unknown. */
#ifdef RESEND_AFTER_UNKNOWN_OUTCOME
    goto create;
#endif
    finish_requeue(false, 0);
    goto end_attempt;

name_exists:
    atomic {
        if
        :: was_unresolved && duplicate_answers + 1 < MOST_DUPLICATE_ANSWERS ->
            finish_requeue(true, duplicate_answers + 1);
            goto end_attempt
        :: else
        fi
    };
name_is_taken:
    atomic {
        assert(stranger_was_here || state != ISSUING || attempt != my);
        finish_fail(true);
        goto end_attempt
    };

refused_for_now:
    finish_requeue(true, 0);
    goto end_attempt;

refused:
    finish_fail(true);
    goto end_attempt;

not_now:
    finish_requeue(true, duplicate_answers);
    goto end_attempt;

store:
    /* 5. Seal and store, if the attempt is still held. */
    atomic {
        if
#ifdef STORE_WITHOUT_CONDITION
        :: state != REVOKED && state != EXPIRED ->
            state = ISSUING;
#else
        :: state == ISSUING && attempt == my ->
#endif
            row_token = id;
            is_known();
            if
            :: cancel_requested -> move_seal_withdrawn()
            :: else -> move_seal()
            fi;
            goto end_attempt
        :: else -> orphan = id
        fi;
        or_crash()
    };
    /* Somebody else has the row: nobody will ever get this key. */
    atomic {
        call_delete(id, answer);
        or_crash();
        if
        :: answer == 0 -> goto end_attempt
        :: else
        fi
    };
    orphan = 0;

end_attempt:
    atomic {
        if
        :: may_call == my -> may_call = 0
        :: else
        fi;
        goto idle
    };

died:
    atomic {
        if
        :: may_call == my -> may_call = 0
        :: else
        fi;
        if
        :: attempt == my -> holder_died = true
        :: else
        fi;
        goto idle
    }
}

/* -- The sweep, and the tasks that it asks for -------------------------------------------------- */

proctype Sweep() {
    byte found, answer, marked;
    bool was_good;
again:
    skip;
    d_step { found = 0; answer = 0; marked = 0; was_good = false };
end_idle:
    if
    :: atomic { state == ISSUING && holder_died ->      /* the lease ended */
        move_requeue(); may_call = 0; holder_died = false }
    :: atomic { state == ISSUING && !holder_died && faults > 0 ->   /* it hangs, and lives */
        faults--; move_requeue(); may_call = 0 }
    :: atomic { state == QUEUED -> move_fail() }        /* an hour has passed */
    :: atomic { state == SEALED -> move_give_up_unclaimed() }
    :: atomic { state == AWAITING_APPROVAL || state == AWAITING_RECIPIENT -> move_cancel() }
    :: atomic { state == ACTIVE -> move_expire(); under_notice = false; time_is_over() }
    :: atomic { state == ACTIVE && under_notice -> move_begin_revocation(); under_notice = false }
    :: atomic { state == REVOKING -> call_delete(row_token, answer) };
        atomic {
            if
            :: state == REVOKING && answer == 1 -> move_revoked()
            :: state == REVOKING && answer == 0 -> move_outlive(); time_is_over()
            :: answer == 0                              /* again later */
            :: crashes > 0 -> crashes--                 /* the worker died: again later */
            :: state != REVOKING
            fi
        }
    :: atomic { (state == EXPIRED || state == REVOKED) && row_token != 0 && at_aws == row_token ->
        call_delete(row_token, answer);
        if
        :: answer == 1 -> move_prune()
        :: else
        fi }
    :: atomic { unresolved && state != QUEUED && state != ISSUING && state != REVOKING &&
                (!signature_good || early_looks > 0) ->
            if
            :: signature_good -> early_looks--
            :: else
            fi;
            marked = attempt;
            was_good = signature_good;
            found = orphan };
        atomic {
            if
            :: found != 0 ->
                call_delete(found, answer);
                if
                :: answer == 1 -> orphan = 0
                :: else -> goto again
                fi
            :: else
            fi
        };
        atomic {
            call_list(found, answer);
            if
            :: answer == 0 -> goto again
            :: answer != 0 && found != 0 -> orphan = found
            :: else
            fi
        };
        atomic {
            if
            :: found != 0 ->
                call_delete(found, answer);
                if
                :: answer == 1 -> orphan = 0
                :: else -> goto again
                fi
            :: else
            fi
        };
        atomic {
            if
#ifdef CLEAR_EARLY
            :: attempt == marked && state != REVOKING -> unresolved = false
#else
            :: attempt == marked && state != REVOKING && !was_good -> unresolved = false
#endif
            :: else
            fi
        }
    fi;
    goto again
}

/* -- People ------------------------------------------------------------------------------------- */

proctype Browser() {
    byte opened = 0;
end_waits:
    state == SEALED -> opened = row_token;
    atomic {
        if
#ifdef DELIVER_WITHOUT_CONDITION
        :: true ->
#else
        :: state == SEALED && row_token == opened ->
#endif
            move_deliver();
            assert(handed_out == 0);
            assert(at_aws == opened && is_ours);
            handed_out = opened
        :: else
        fi;
        opened = 0
    };
    goto end_waits
}

proctype People() {
    if
    :: atomic { move_request() }
    :: atomic { move_request_approval() }
    :: atomic { move_request_for_recipient() }
    :: atomic { at_aws == 0 -> take_effect(); row_token = at_aws; move_adopt() }
    fi;
end_answer:
    do
    :: atomic { state == AWAITING_APPROVAL ->
        if
        :: move_approve()
        :: move_deny()
        fi }
    :: atomic { state == AWAITING_RECIPIENT ->
        if
        :: move_collect()
        :: policy_changes > 0 -> policy_changes--; move_ask_approval()
        /* An approver who thinks better of it: the same step, out of the same budget. */
        :: policy_changes > 0 -> policy_changes--; move_undo_approval()
        fi }
    :: atomic { revocations > 0 && (state == SEALED || state == ACTIVE) ->
        revocations--; move_begin_revocation(); under_notice = false }
    :: atomic { revocations > 0 && state == ACTIVE && !under_notice ->
        revocations--; move_give_notice() }
    :: atomic { state == ACTIVE && under_notice -> move_keep() }
    :: atomic { revocations > 0 && (state == AWAITING_APPROVAL || state == AWAITING_RECIPIENT ||
                state == QUEUED) -> revocations--; move_cancel() }
    :: atomic { revocations > 0 && (state == EXPIRED || state == REVOKED) &&
                row_token != 0 && at_aws == row_token -> revocations--; move_revoke_ended() }
    :: atomic { revocations > 0 && state == ISSUING && !cancel_requested ->
        revocations--; move_withdraw() }
    od
}

/* Somebody outside the portal makes a token of the same name, and may remove it. */
proctype Stranger() {
    if
    :: atomic { at_aws == 0 -> last_token++; at_aws = last_token; is_ours = false;
                stranger_was_here = true }
    :: skip
    fi;
    if
    :: atomic { at_aws != 0 && !is_ours -> at_aws = 0 }
    :: skip
    fi
}

/* -- AWS and time by themselves ------------------------------------------------------------------ */

proctype Later() {
end_idle:
    do
    :: atomic { in_flight > 0 ->            /* what was sent long ago takes effect now, or never */
        in_flight--;
        if
        :: at_aws == 0 -> take_effect()
        :: skip
        fi }
    :: atomic { may_call == 0 && signature_good ->      /* six minutes pass */
        signature_good = false; in_flight = 0; is_fresh = false }
    od
}

/* Nothing can happen any more: this is what the promise means. */
proctype Judge() {
    timeout ->
    assert(state == REVOKED || state == EXPIRED || state == FAILED || state == DENIED ||
           state == CANCELLED);
    assert(at_aws == 0 || !is_ours);
    assert(!unresolved && in_flight == 0)
}

init {
    atomic {
        run Worker(); run Worker(); run Sweep(); run Browser(); run People(); run Stranger();
        run Later(); run Judge()
    }
}
