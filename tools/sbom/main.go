// Command sbom prints the bill of materials of a binary as CycloneDX JSON: the modules that it was
// linked from, Go's own library among them, as the Go tool wrote them into it. The same binary
// gives the same bytes, on any machine and at any time.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/rs/zerolog"
)

const generator = "github.com/CycloneDX/cyclonedx-gomod"

func main() {
	version := flag.String("version", "", "the version that the binary was given when it was linked")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: sbom -version VERSION BINARY")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 || *version == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := write(os.Stdout, flag.Arg(0), *version); err != nil {
		fmt.Fprintf(os.Stderr, "sbom: %v\n", err)
		os.Exit(1)
	}
}

// write does what the generator's own command does, but for what differs from run to run: the
// time is that of the binary's commit, there is no serial number, and of the generator it names the
// version alone, not the digests of the executable that it happened to be.
func write(w io.Writer, binary, version string) error {
	g, err := bin.NewGenerator(binary, bin.WithIncludeStdlib(true), bin.WithVersionOverride(version),
		bin.WithLogger(zerolog.New(os.Stderr).Level(zerolog.WarnLevel)))
	if err != nil {
		return err
	}
	bom, err := g.Generate()
	if err != nil {
		return err
	}
	var made string
	for _, p := range *bom.Metadata.Properties {
		if p.Name == "cdx:gomod:build:vcs:time" {
			made = p.Value
		}
	}
	if _, err := time.Parse(time.RFC3339, made); err != nil {
		return fmt.Errorf("%s does not hold the time of its commit: %w", binary, err)
	}
	with, err := generatorVersion()
	if err != nil {
		return err
	}
	bom.Metadata.Timestamp = made
	bom.Metadata.Tools = &cdx.ToolsChoice{Components: &[]cdx.Component{
		{Type: cdx.ComponentTypeApplication, Name: generator, Version: with},
	}}
	encoder := cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON)
	return encoder.SetPretty(true).SetEscapeHTML(false).EncodeVersion(bom, cdx.SpecVersion1_6)
}

func generatorVersion() (string, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", errors.New("this binary does not say what it is built of")
	}
	for _, module := range info.Deps {
		if module.Path == generator {
			return module.Version, nil
		}
	}
	return "", fmt.Errorf("this binary is not built with %s", generator)
}
