// Package service puts the product to the test: the whole server, with the settings that an
// operator gives and the defaults where none are given, in this process, called through its
// generated client on a unix socket.
package service
