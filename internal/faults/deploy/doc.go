// Package deploy runs deployments that faults are done to: real valkey-servers, each behind a
// proxy of its own that clients are told to connect to.
//
// The servers of a cluster listen on 127.0.0.1 and know each other by that address, so that
// their bus, replication and MIGRATE go from one to another with nothing in between. Clients are
// told 127.0.0.2 (cluster-announce-hostname), where the proxy listens on the same port. What a
// proxy does therefore happens to clients alone; what is to happen to a server for everybody is
// done to its process.
//
// Every server keeps an append-only file, which is never forced to the disk: it survives the
// kill of a process, so that a restart loses nothing and "present exactly once" can be asked
// of one, too. The file is also a record, in order, of what the server executed. Files are
// kept when their server throws them away (a replica does when it takes over its primary's
// data), which is how an effect that a failover lost can be told from one that never was.
package deploy
