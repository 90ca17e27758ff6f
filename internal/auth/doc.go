// Package auth tells who calls, by bearer token or by client certificate, and what each caller
// may do: its commands, keys and limits. All of it stands in one file, which is read anew as it
// changes.
package auth
