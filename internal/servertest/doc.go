// Package servertest gives tests a running server as an operator would start it, in front of real
// deployments: in the test's own process ([Start]), or as a process of the built binary ([StartProcess]),
// whose memory can be told from the test's.
package servertest
