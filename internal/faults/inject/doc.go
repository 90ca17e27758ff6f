// Package inject is the catalogue of faults: each does something to a deployment, undoes it,
// and says what may come of it meanwhile.
package inject
