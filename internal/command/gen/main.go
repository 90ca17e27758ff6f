// Command gen writes the command table of the command package from a real server's reply to
// COMMAND. It starts a server of its own on a free port of the loopback interface and ends it.
// The output depends on the server's version alone.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/valkeybatch/valkeybatch/internal/command/gen/generator"
)

func main() {
	binary := flag.String("server", "valkey-server", "the server `binary` to ask")
	output := flag.String("o", "commands.txt", "the `file` to write")
	flag.Parse()
	if err := run(*binary, *output); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(binary, output string) error {
	version, text, err := generator.Generate(binary)
	if err != nil {
		return err
	}
	if err := os.WriteFile(output, []byte(text), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s: the commands of valkey-server %s\n", output, version)
	return nil
}
