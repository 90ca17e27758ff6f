// Package docs tests the documentation: every command that README.md shows is run as it
// stands there, against the servers that it says to start, and its output is compared.
package docs
