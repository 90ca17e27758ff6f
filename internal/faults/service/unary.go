package service

import (
	"context"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/faults/subject"
)

// Unary is the product, called batch by batch.
var Unary = subject.Maker{
	Traits: subject.Traits{Name: "valkeybatch", Outcomes: true},
	Start: func(ctx context.Context, o subject.Options) (subject.Subject, error) {
		s, err := ready(ctx, o)
		if err != nil {
			return nil, err
		}
		return unary{s}, nil
	},
}

// ready starts the server and waits until it says that the deployment is well.
func ready(ctx context.Context, o subject.Options) (*Service, error) {
	s, err := Start(o)
	if err != nil {
		return nil, err
	}
	if err := s.AwaitHealth(ctx, true); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

type unary struct{ *Service }

// Execute implements [subject.Subject].
func (u unary) Execute(ctx context.Context, b subject.Batch) ([]subject.Result, *subject.Failure) {
	// A caller waits a little longer than the batch may take, so that the service is the one to say
	// that it took too long.
	ctx, cancel := context.WithTimeout(ctx, b.Timeout+patience)
	defer cancel()
	response, err := u.client.ExecuteBatch(ctx, u.request(b))
	if err != nil {
		return nil, failureOf(err)
	}
	return results(response), nil
}

// patience is far beyond what the answer to a batch takes whose time is up.
const patience = 30 * time.Second
