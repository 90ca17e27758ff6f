package client

import (
	"bufio"
	"encoding/json"
	"os"
	"runtime"
)

// AnswersTo is the descriptor that the process answers on. Its standard output is left to
// what peers print there: GLIDE's core logs to it.
const AnswersTo = 3

// Answer is what the process says: once that it is ready, and once its result; or an error.
type Answer struct {
	Result Result
	Error  string
}

// Main is the process: it reads an Order from its standard input, answers once it has warmed
// up, waits for a line, measures, and answers with the result. It returns the exit code.
func Main() int {
	out := json.NewEncoder(os.NewFile(AnswersTo, "answers"))
	if err := serve(bufio.NewReader(os.Stdin), out); err != nil {
		_ = out.Encode(Answer{Error: err.Error()})
		return 1
	}
	return 0
}

func serve(in *bufio.Reader, out *json.Encoder) error {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	var order Order
	if err := json.Unmarshal(line, &order); err != nil {
		return err
	}
	m, err := newMeasurement(order)
	if err != nil {
		return err
	}
	defer m.client.Close()
	// What connecting and warming up left behind is not the measurement's to clear away.
	runtime.GC()
	if err := out.Encode(Answer{}); err != nil {
		return err
	}
	if _, err := in.ReadBytes('\n'); err != nil {
		return err
	}
	result, err := m.measure()
	if err != nil {
		return err
	}
	return out.Encode(Answer{Result: result})
}
