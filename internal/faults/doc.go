// Package faults holds what the product is shown to be right with while its deployment is not
// well. Its packages, in the order in which they stand on each other:
//
//	proxy     a TCP proxy that delays, withholds, resets and throttles
//	deploy    real servers behind proxies, and a record of what each server executed
//	subject   what is put to the test, seen as something that carries out batches
//	service   the product as a subject: the whole server, through gRPC
//	history   what was sent, what was answered, which faults there were, what is left
//	inject    the catalogue of faults
//	workload  callers whose every effect can be told apart
//	check     the rules that a history has to obey
//	run       all of it together, and the tally
//
// None of them needs the testing package: programs outside of tests put other clients to the
// same test.
package faults
