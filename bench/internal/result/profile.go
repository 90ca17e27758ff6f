package result

// Profile is where the CPU time of one measurement went. It is a measurement of its own,
// made after the rounds, and counts for nothing else.
type Profile struct {
	Cell
	Client, Service []Share `json:",omitempty"`
}

// Share is what one category has of a process's CPU time.
type Share struct {
	Category string  // of package attribution
	Samples  int64   // of the profile
	Part     float64 // of all samples
	CPU      float64 // in microseconds for each command: that part of what the process used
}
