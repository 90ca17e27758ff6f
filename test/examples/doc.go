// Package examples tests what examples/ gives to users: that its programs do what they print, in
// all languages (with the build tag "examples", as "make test-examples" sets it, for that needs
// the languages' own tools), and that its service configs send again what they say and nothing else.
package examples
