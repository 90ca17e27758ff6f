//go:build race

package acceptance

// raceDetector says that the tests run with the race detector, with which the copying of
// large values takes many times as long.
const raceDetector = true
