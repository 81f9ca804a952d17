package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what a program was built of.
type build struct {
	Type     string `json:"type"` // "version"
	Program  string `json:"program"`
	Version  string `json:"version"`            // of the module; "(devel)" when it was built in a work tree without tags
	Commit   string `json:"commit,omitempty"`   // empty when it is not known
	Modified bool   `json:"modified,omitempty"` // the work tree had changes that were not committed
	Go       string `json:"go"`                 // the version of the compiler
	Platform string `json:"platform"`           // "linux/arm64"
}

// buildOf returns what a program was built of; info may be nil.
func buildOf(program string, info *debug.BuildInfo) build {
	b := build{Type: "version", Program: program, Version: "(unknown)", Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return b
	}
	b.Version = cmp.Or(info.Main.Version, "(devel)")
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String returns it in a line.
func (b build) String() string {
	commit := ""
	if b.Commit != "" {
		commit = ", commit " + b.Commit
	}
	if b.Modified {
		commit += " with changes"
	}
	return fmt.Sprintf("%s %s%s, %s, %s", b.Program, b.Version, commit, b.Go, b.Platform)
}

// versionCommand is the command version.
func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version of the program, and what it was built with", Args: Words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			info, _ := debug.ReadBuildInfo()
			b := buildOf(c.Root().Name(), info)
			line := []byte(b.String())
			if OptionsOf(c).JSON {
				line, _ = json.Marshal(b) // strings can be encoded
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", line)
			return err
		},
	}
}
