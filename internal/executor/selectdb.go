package executor

// dbTracker keeps SELECT to its own batch on connections that serve others later: whichever
// database a sub-pipeline begins in or ends in, the connection is in database 0 around it.
type dbTracker struct {
	// next is the command from which effects of SELECT are still to be read.
	next int32
	// want is the argument of the last SELECT before the command at hand that was not
	// refused; have is the database that the connection is in by then. Nil is database 0.
	want, have []byte
}

// before puts the connection into the database that the part at index i is meant for, which
// matters when it is resent without the SELECT that came before it. Parts are those of a
// standalone deployment: one per command.
func (d *dbTracker) before(r *run, p *plan, i int32, add func(args [][]byte)) {
	for ; d.next < i; d.next++ {
		pt := &p.parts[d.next]
		if r.items[pt.cmd].selects && len(pt.args) == 2 && (pt.err == nil || pt.err.Outcome == Unknown) {
			d.want = pt.args[1]
		}
	}
	if r.items[p.parts[i].cmd].selects {
		if args := p.parts[i].args; len(args) == 2 {
			d.have = args[1]
		}
		return
	}
	if string(d.want) != string(d.have) {
		db := d.want
		if db == nil {
			db = dbZero
		}
		add([][]byte{selekt, db})
		d.have = d.want
	}
}
