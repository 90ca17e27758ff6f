package executor

import "context"

// assemble places what came of every part by the index of its command.
func (r *run) assemble(ctx context.Context, p *plan) (*Results, error) {
	if err := r.nothingReached(ctx, p); err != nil {
		return nil, err
	}
	out := newResults(len(r.batch.Commands))
	for i := 0; i < len(p.parts); {
		pt := &p.parts[i]
		res := &out.Results[pt.cmd]
		n := 1
		if m, ok := p.merges[pt.cmd]; ok {
			n = m.parts
			*res = m.merge(p.parts[i : i+n])
		} else {
			res.Frame, res.Err, res.Node = pt.reply, pt.err, pt.node
		}
		if res.Err != nil {
			out.Failed++
		}
		i += n
	}
	return out, nil
}

// nothingReached returns an UnavailableError when no command of the batch was ever written
// and that is because the deployment, and not only a part of it, cannot be reached.
func (r *run) nothingReached(ctx context.Context, p *plan) error {
	for i := range p.parts {
		if err := p.parts[i].err; err == nil || err.Code != CodeConnection || err.Outcome != NotExecuted {
			return nil
		}
	}
	if r.reachable(ctx) {
		return nil
	}
	return &UnavailableError{Cause: p.parts[0].err}
}
