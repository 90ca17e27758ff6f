// Package acceptance holds the product's acceptance tests: the whole server in process,
// called through the generated client, in front of real valkey-servers. A test's name begins
// with the numbers of the scenarios it covers. S and C in the subtests' names stand for a
// standalone server and a cluster, A and P for an atomic batch and a pipeline.
package acceptance
