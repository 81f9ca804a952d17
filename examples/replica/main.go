// Replica recovers the content of Longhorn volumes from their replica directories, without Longhorn.
//
//	replica inspect [-json] DIR...           what the directories hold, which one is best, and why
//	replica merge [-json] -o FILE DIR...     merge the best one into a raw image
//	replica verify [-json] DIR...            read all of them, compare their content and checksums
//	replica check [-json] IMAGE              what file system the image holds, and whether it is sound
//	replica files [-json] -o DIR IMAGE       copy the files out of the image
//	replica pack [-o FILE] DIR               a stream that keeps a directory's extents, to move it
//	replica unpack -o DIR [FILE]             the directory again
//
// It runs on the machine that owns the disk, as root, while the volume is detached. An interrupted
// merge is continued by the same command. It exits with 0 when all is well, 4 when a guard refused,
// 2 when verify found differences, a check found errors in a file system, or files could not read all
// of the image's, 130 when it was interrupted, 1 for anything else. docs/longhorn.md says more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// errFound: verify found differences, a check errors, or files were lost. It has been printed already.
var errFound = errors.New("not all is well")

// errUsage: the command line is wrong. It has been printed already.
var errUsage = errors.New("usage")

// flagsHint is what to do where the flags of a command are not known.
const flagsHint = "replica COMMAND -h lists a command's flags"

func main() {
	// A terminal that is closed, or a pipe that nobody reads, ends a run as Ctrl-C does, so that it
	// removes what it must; a write to that pipe is an error from then on.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP,
		syscall.SIGPIPE)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// program is one run of a command.
type program struct {
	stdin          *os.File
	stdout, stderr *os.File
	json           bool
	out            *printer
}

type command struct {
	name, args, help string
	run              func(*program, context.Context, []string) error
}

func commands() []command {
	return []command{
		{"inspect", "[-json] DIR...", "what the directories hold, which one is best, and why", (*program).inspect},
		{"merge", "[-json] -o FILE DIR...", "merge the best one into a raw image", (*program).merge},
		{"verify", "[-json] DIR...", "read all of them, compare their content and checksums", (*program).verify},
		{"check", "[-json] IMAGE", "what file system the image holds, and whether it is sound", (*program).check},
		{"files", "[-json] -o DIR IMAGE", "copy the files out of the image", (*program).files},
		{"pack", "[-o FILE] DIR", "a stream that keeps a directory's extents, to move it", (*program).pack},
		{"unpack", "-o DIR [FILE]", "the directory again", (*program).unpack},
	}
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: replica COMMAND [FLAGS] ...")
	for _, c := range commands() {
		fmt.Fprintf(w, "  replica %-31s %s\n", c.name+" "+c.args, c.help)
	}
	fmt.Fprintln(w, flagsHint)
}

func (p *program) run(ctx context.Context, args []string) int {
	switch {
	case len(args) == 0:
		usage(p.stderr)
		return lab.ExitError
	case args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help":
		usage(p.stdout)
		return lab.ExitOK
	}
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
		if c.name == args[0] {
			return p.exit(c.run(p, ctx, args[1:]))
		}
	}
	fmt.Fprintf(p.stderr, "replica: unknown command %s\n", lab.Printable(args[0]))
	if near := lab.Nearest(args[0], names); near != "" {
		fmt.Fprintf(p.stderr, "hint: replica %s\n", near)
	} else {
		usage(p.stderr)
	}
	return lab.ExitError
}

// exit prints the error and returns the exit code.
func (p *program) exit(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return lab.ExitOK
	case errors.Is(err, errFound):
		return lab.ExitPending
	case errors.Is(err, errUsage):
		if p.json {
			line := map[string]any{"error": err.Error(), "hints": []string{flagsHint}, "exit": lab.ExitError}
			newPrinter(p.stdout, p.stderr, true).line("error", line)
		}
		return lab.ExitError
	}
	code := lab.ExitCode(err)
	text, hints := err.Error(), lab.Hints(err)
	if code == lab.ExitInterrupted {
		text = "interrupted"
		if p.resumable() {
			hints = []string{"run the same command again: it continues where it stopped"}
		}
	}
	if p.json {
		p.out.line("error", map[string]any{"error": text, "hints": hints, "exit": code})
		return code
	}
	fmt.Fprintln(p.stderr, "replica: "+strings.ReplaceAll(text, "\n", "\nreplica: "))
	for _, h := range hints {
		fmt.Fprintln(p.stderr, "hint: "+h)
	}
	return code
}

// resumable reports whether what was interrupted can be continued.
func (p *program) resumable() bool { return p.out != nil && p.out.resumable }

// flags parses a command's flags, which may stand before, between and after its arguments, and
// returns the arguments: least of them at least, most at most, 0 for any number.
func (p *program) flags(
	name, synopsis string, define func(*flag.FlagSet), args []string, least, most int,
) ([]string, error) {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(p.stderr)
	set.Usage = func() {
		fmt.Fprintf(p.stderr, "usage: replica %s %s\n", name, synopsis)
		set.PrintDefaults()
	}
	set.BoolVar(&p.json, "json", false, "print JSON lines")
	define(set)
	var rest []string
	for {
		if err := set.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			// The flag may be behind the mistake.
			p.json = p.json || slices.Contains(args, "-json") || slices.Contains(args, "--json")
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		left := set.Args()
		if len(left) == 0 {
			break
		}
		if used := len(args) - len(left); used > 0 && args[used-1] == "--" {
			rest = append(rest, left...)
			break
		}
		rest, args = append(rest, left[0]), left[1:]
	}
	if len(rest) < least || most > 0 && len(rest) > most {
		set.Usage()
		return nil, fmt.Errorf("%w: replica %s %s", errUsage, name, synopsis)
	}
	p.out = newPrinter(p.stdout, p.stderr, p.json)
	return rest, nil
}
