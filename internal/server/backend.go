package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/certs"
	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/control"
	"github.com/valkeybatch/valkeybatch/internal/embedded"
	"github.com/valkeybatch/valkeybatch/internal/executor"
	"github.com/valkeybatch/valkeybatch/internal/node"
	"github.com/valkeybatch/valkeybatch/internal/options"
	"github.com/valkeybatch/valkeybatch/internal/registry"
	"github.com/valkeybatch/valkeybatch/internal/reload"
	"github.com/valkeybatch/valkeybatch/internal/service"
	"github.com/valkeybatch/valkeybatch/internal/slotmap"
)

// backend is the road from the service down to the deployment, or to the embedded store.
type backend struct {
	service *service.Service
	// check asks for the deployment's health; nil for the embedded store, which has no other state.
	check func(context.Context) error
	// users are the connections of Valkey users that are not the server's own.
	users *userPools
	// files are what is read anew when it changes.
	files []reload.Checker
	// closers end the parts, those that use others first.
	closers []func()
	// topology, pool and replies are what metrics tell of.
	topology *slotmap.Map
	pool     *node.Pool
	replies  *node.Budget
	// observer is told of batches; nil: nobody is.
	observer executor.Observer
}

// newBackend builds the road. Nothing on it waits for the deployment.
func newBackend(cfg *config.Config, logger *slog.Logger, observer executor.Observer) (*backend, error) {
	policy, err := command.NewPolicy(cfg.AllowCommand, cfg.DenyCommand)
	var wrong *command.PolicyError
	if errors.As(err, &wrong) {
		return nil, &config.SettingError{Key: wrong.List + "-command", Err: err}
	}
	if err != nil {
		return nil, err
	}
	if cfg.Embedded() {
		return newEmbedded(cfg, logger, policy, observer)
	}
	b := &backend{observer: observer}
	password, err := cfg.Valkey.CurrentPassword(logger)
	if err != nil {
		return nil, err
	}
	b.files = append(b.files, password)
	var tlsNow func() *tls.Config
	if cfg.Valkey.TLS {
		settings, err := certs.NewClient(cfg.Valkey.TLSFiles(), logger)
		if err != nil {
			return nil, err
		}
		tlsNow, b.files = settings.Load, append(b.files, settings)
	}
	client := control.New(control.Config{
		Seeds:      cfg.Valkey.Seeds,
		Username:   cfg.Valkey.Username,
		Password:   password,
		ClientName: cfg.Valkey.ClientName,
		TLS:        tlsNow,
		Zones:      cfg.Valkey.AvailabilityZone != "",
		Logger:     logger,
	})
	b.closers = append(b.closers, client.Close)
	pool := node.Config{
		Username:   cfg.Valkey.Username,
		Password:   password,
		ClientName: cfg.Valkey.ClientName,
		TLS:        tlsNow,
	}
	topology := b.connect(cfg, logger, policy, client, client, pool)
	b.check = func(ctx context.Context) error {
		if err := client.Health(ctx); err != nil {
			return err
		}
		// A deployment that answers is of no use before its topology is known. At the start that
		// is a moment away: waiting for it makes the very first check tell.
		if topology.Load() == nil {
			if _, err := topology.Refresh(ctx); err != nil {
				return errors.Join(slotmap.ErrNoTopology, err)
			}
		}
		return nil
	}
	return b, nil
}

// newEmbedded builds the road to the embedded store.
func newEmbedded(cfg *config.Config, logger *slog.Logger, policy *command.Policy, observer executor.Observer) (*backend, error) {
	store, err := embedded.New(logger)
	if err != nil {
		return nil, err
	}
	b := &backend{observer: observer, closers: []func(){store.Close}}
	b.connect(cfg, logger, policy, store, nil, node.Config{ClientName: cfg.Valkey.ClientName, Dialer: store.Dial})
	logger.Warn("no Valkey is configured: data lives in this process's memory only and is lost when it ends, and some replies have other types than Valkey's; " +
		"point to a real one with --valkey HOST:PORT or VALKEYBATCH_VALKEY")
	return b, nil
}

// connect builds the parts that are the same for every deployment.
func (b *backend) connect(cfg *config.Config, logger *slog.Logger, policy *command.Policy,
	source slotmap.Source, commands registry.Source, nodes node.Config,
) *slotmap.Map {
	// Only replica routes of clusters use replica connections, and only clusters know READONLY.
	nodes.Cluster = true
	nodes.MaxDepth = cfg.Limits.MaxReplyDepth
	nodes.Logger = logger
	topology := slotmap.NewMap(source, slotmap.Config{Interval: cfg.Valkey.TopologyRefresh, Logger: logger})
	nodes.Failed = func(addr string, after time.Time) bool {
		if t := topology.Load(); t == nil || !t.Failed(addr) {
			return false
		}
		if topology.Stats().Refreshed.After(after) {
			return true
		}
		topology.Trigger()
		return false
	}
	nodes.Overdue = topology.Trigger
	pool := node.NewPool(nodes)
	b.topology, b.pool, b.replies = topology, pool, node.NewBudget(int64(cfg.Limits.MaxInFlightReplyBytes))
	b.users = newUserPools(nodes)
	table := registry.New(registry.Config{Base: command.Builtin(), Source: commands, Logger: logger})
	topology.OnChange(func(t *slotmap.Topology) {
		addrs := make(map[string]struct{}, len(t.Nodes()))
		for _, addr := range t.Nodes() {
			addrs[addr] = struct{}{}
		}
		pool.Retain(addrs)
		b.users.retain(addrs)
		table.Trigger()
	})
	b.closers = append([]func(){topology.Close, table.Close, b.users.close, pool.Close}, b.closers...)
	var caller func(context.Context) *auth.Identity
	if cfg.Auth.File != "" {
		caller = auth.From
	}
	b.service = service.New(service.Config{
		Executor: executor.New(executor.Config{
			Map:           topology,
			Pool:          pool,
			Commands:      table,
			Policy:        policy,
			MaxReplyBytes: int64(cfg.Limits.MaxReplyBytes),
			Replies:       b.replies,
			Observer:      b.observer,
			MaxBlocking:   int64(cfg.Limits.MaxBlockingBatches),
			MaxRedirects:  cfg.Limits.MaxRedirects,
			Zone:          cfg.Valkey.AvailabilityZone,
			Logger:        logger,
		}),
		Deployment: func() options.Kind { return kindOf(topology.Load()) },
		Timeouts:   options.Defaults{Timeout: cfg.Limits.DefaultTimeout, MaxTimeout: cfg.Limits.MaxTimeout},
		Limits: service.Limits{
			Commands:        cfg.Limits.MaxCommands,
			Arguments:       cfg.Limits.MaxArguments,
			RequestBytes:    int64(cfg.Limits.MaxRequestBytes),
			InFlightBatches: int64(cfg.Limits.MaxInFlightBatches),
			InFlightBytes:   int64(cfg.Limits.MaxInFlightBytes),
			StreamBatches:   cfg.Limits.MaxStreamBatches,
			StreamStall:     cfg.Limits.MaxStreamStall,
			Streams:         int64(cfg.Limits.MaxStreams),

			BatchesPerSecond: cfg.Auth.MaxBatchesPerSecond,
		},
		Caller:   caller,
		UserPool: b.users.get,
		Logger:   logger,
	})
	return topology
}

// kindOf is the kind of the deployment that a topology is of.
func kindOf(t *slotmap.Topology) options.Kind {
	switch {
	case t == nil:
		return options.KindAny
	case t.IsCluster():
		return options.KindCluster
	default:
		return options.KindStandalone
	}
}

// close ends the parts.
func (b *backend) close() {
	for _, c := range b.closers {
		c()
	}
}
