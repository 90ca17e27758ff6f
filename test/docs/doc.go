// Package docs tests the documentation: every command that README.md and the pages in docs/
// show is run as it stands there, against the servers that it says to start, and its output is
// compared.
package docs
