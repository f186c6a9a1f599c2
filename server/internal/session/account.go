package session

// An Account says whom a session counts for. It is the host's; the zero Account is nobody.
type Account [2]uint64

// A charge is the account for which a session is counted.
type charge struct {
	of      Account
	pending int // calls of Charge for which Settle has not been called yet
}

// Charge counts session k for an account if it is about to get state and has none yet. If that is
// refused, Charge returns the error of Options.Charge. If settle, Settle must be called once the
// session has got the state, or has not.
func (t *Table[J]) Charge(k Key, a Account) (settle bool, err error) {
	if t.o.Charge == nil || a == (Account{}) {
		return false, nil
	}
	sh := t.shard(k)
	if has, settle := sh.pend(k, Account{}); has {
		return settle, nil
	}
	if err := t.o.Charge(a); err != nil {
		return false, err
	}
	has, settle := sh.pend(k, a)
	if has { // another goroutine was faster
		t.o.Discharge(a)
	}
	return settle, nil
}

// pend notes that session k is about to get state. It reports whether the session is in the table
// already, or about to be. If it is not, it is counted for a, unless that is nobody.
func (sh *shard[J]) pend(k Key, a Account) (has, settle bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c, charged := sh.charges[k]
	switch {
	case charged:
	case sh.m[k] != nil:
		return true, false // it counts for nobody
	case a == Account{}:
		return false, false
	default:
		if sh.charges == nil {
			sh.charges = make(map[Key]charge)
		}
		c.of = a
	}
	c.pending++
	sh.charges[k] = c
	return charged, true
}

// Settle follows Charge. If session k has got no state, it does not count any more.
func (t *Table[J]) Settle(k Key) {
	sh := t.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c := sh.charges[k]
	c.pending--
	sh.charges[k] = c
	if sh.m[k] == nil {
		t.discharge(sh, k)
	}
}

// discharge ends the count of session k for its account, unless it is about to get state again. The
// lock of the shard is held.
func (t *Table[J]) discharge(sh *shard[J], k Key) {
	c, charged := sh.charges[k]
	if !charged || c.pending > 0 {
		return
	}
	if delete(sh.charges, k); len(sh.charges) == 0 {
		sh.charges = nil // a map does not shrink
	}
	t.o.Discharge(c.of)
}
