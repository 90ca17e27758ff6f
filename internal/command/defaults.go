package command

// defaultDenied are the commands that an operator has to allow: those that can stop,
// reconfigure, re-shard or empty the deployment or change others' access, with what they
// can do. Containers are denied as a whole, subcommands of newer servers included, but for
// the subcommands of defaultAllowed.
var defaultDenied = map[string]string{
	"shutdown": "stop a node",
	"debug":    "stop or corrupt a node",

	"replicaof": "change the replication of a node",
	"slaveof":   "change the replication of a node",
	"failover":  "change the replication of a node",
	"cluster":   "change the cluster",

	"acl":    "change others' access",
	"config": "reconfigure a node",
	"module": "load or remove code",

	"flushall": "empty the deployment",
	"flushdb":  "empty a database",
	"swapdb":   "exchange databases under other clients",

	"client kill":    "end other clients' connections",
	"client pause":   "hold up other clients",
	"client unpause": "end a pause that an operator began",
	"client unblock": "end other callers' waits",

	"json.debug keytable-corrupt": "corrupt a node",
	"json.debug keytable-clear":   "corrupt a node",
	"ft._debug":                   "hold up a node's searches",
	"ft.internal_update":          "change index definitions behind the cluster's back",
}

// defaultAllowed are the subcommands that only read, of containers in defaultDenied.
var defaultAllowed = map[string]bool{
	"acl cat":     true,
	"acl dryrun":  true,
	"acl genpass": true,
	"acl getuser": true,
	"acl help":    true,
	"acl list":    true,
	"acl log":     true,
	"acl users":   true,
	"acl whoami":  true,

	"cluster count-failure-reports": true,
	"cluster countkeysinslot":       true,
	"cluster getkeysinslot":         true,
	"cluster getslotmigrations":     true,
	"cluster help":                  true,
	"cluster info":                  true,
	"cluster keyslot":               true,
	"cluster links":                 true,
	"cluster myid":                  true,
	"cluster myshardid":             true,
	"cluster nodes":                 true,
	"cluster replicas":              true,
	"cluster shards":                true,
	"cluster slaves":                true,
	"cluster slot-stats":            true,
	"cluster slots":                 true,

	"config get":  true,
	"config help": true,

	"module help": true,
	"module list": true,
}
