package client

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
)

// Main is the process: it reads an Order, says "ready" once it has warmed up, waits for a
// line, measures, and writes a Result. It returns the exit code.
func Main(in io.Reader, out io.Writer) int {
	if err := serve(bufio.NewReader(in), out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serve(in *bufio.Reader, out io.Writer) error {
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
	if _, err := fmt.Fprintln(out, "ready"); err != nil {
		return err
	}
	if _, err := in.ReadBytes('\n'); err != nil {
		return err
	}
	result, err := m.measure()
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(result)
}
