package docs

import (
	"fmt"
	"regexp"
	"strings"
)

// Block is one fenced block of a Markdown document.
type Block struct {
	// Heading is the last heading above the block, Line the block's line in the document.
	Heading string
	Line    int
	// Language is what follows the fence: "console", "sh", ...
	Language string
	// Text is the block without its fences.
	Text string
}

// Blocks returns the fenced blocks of a Markdown document.
func Blocks(markdown string) ([]Block, error) {
	var blocks []Block
	var open *Block
	var heading string
	for i, line := range strings.Split(markdown, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case open == nil && isFence:
			open = &Block{Heading: heading, Line: i + 1, Language: fence}
		case open == nil && strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		case open != nil && isFence:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.Text += line + "\n"
		}
	}
	if open != nil {
		return nil, fmt.Errorf("the block in line %d is not closed", open.Line)
	}
	return blocks, nil
}

// Step is a command of a console block and the output that is shown for it.
type Step struct {
	Command, Output string
}

// Steps takes a console block apart: commands begin with "$ " and go on while a quote is
// open or the line ends in a backslash; what follows is their output.
func Steps(text string) ([]Step, error) {
	var steps []Step
	inCommand := false
	for _, line := range strings.SplitAfter(text, "\n") {
		command, begins := strings.CutPrefix(line, "$ ")
		switch {
		case begins && inCommand:
			return nil, fmt.Errorf("a command begins before the one above has ended: %s", line)
		case begins:
			steps = append(steps, Step{Command: command})
		case line == "":
			continue
		case len(steps) == 0:
			return nil, fmt.Errorf("output without a command: %s", line)
		case inCommand:
			steps[len(steps)-1].Command += line
		default:
			steps[len(steps)-1].Output += line
			continue
		}
		so := steps[len(steps)-1].Command
		inCommand = strings.Count(so, "'")%2 == 1 || strings.HasSuffix(strings.TrimRight(so, "\n"), `\`)
	}
	if inCommand {
		return nil, fmt.Errorf("the last command does not end")
	}
	return steps, nil
}

var address = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// Normalize makes outputs comparable: which ports the servers got does not matter.
func Normalize(output string) string {
	return strings.TrimSpace(address.ReplaceAllString(output, "127.0.0.1:PORT"))
}
