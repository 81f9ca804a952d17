// Replica recovers the content of Longhorn volumes from their replica directories, without Longhorn.
//
//	replica inspect DIR...           what the directories hold, which one is best, and why
//	replica merge -o FILE DIR...     merge the best one into a raw image
//	replica verify DIR...            read all of them, compare their content and checksums
//	replica check IMAGE              what file system the image holds, and whether it is sound
//	replica files -o DIR IMAGE       copy the files out of the image
//	replica pack [-o FILE] DIR       a stream that keeps a directory's extents, to move it
//	replica unpack -o DIR [FILE]     the directory again
//
// It runs on the machine that owns the disk, as root, while the volume is detached. An interrupted
// merge is continued by the same command. It exits with 0 when all is well, 4 when a guard refused,
// 2 when verify found differences, a check found errors in a file system, or files could not read all
// of the image's, 130 when it was interrupted, 1 for anything else. docs/longhorn.md says more.
package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

func main() { cli.Main(tree()) }

// tree is the command tree.
func tree() *cobra.Command {
	root := &cobra.Command{Use: "replica", Short: "recover Longhorn volumes from their replica directories",
		Long: `Recover the content of Longhorn volumes from their replica directories, without
Longhorn.

It runs on the machine that owns the disk, as root, while the volume is
detached. An interrupted merge is continued by the same command.

Exit codes: 0 all is well, 2 verify found differences, check errors in a file
system, or files could not read all of the image's, 4 refused by a guard, 130
interrupted, 1 any other error.`}
	root.AddCommand(inspectCommand(), mergeCommand(), verifyCommand(), checkCommand(), filesCommand(), packCommand(),
		unpackCommand())
	return root
}

// program is one run of a command.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	out            *printer
}

// command returns a command that is run with the words after it, in a new program.
func command(use, short string, least, most int, run func(*program, context.Context, []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cli.Words(least, most),
		RunE: func(c *cobra.Command, words []string) (err error) {
			p := &program{stdin: c.InOrStdin(), stdout: c.OutOrStdout(), stderr: c.ErrOrStderr()}
			if p.out, err = newPrinter(p.stdout, c.Name(), cli.OptionsOf(c)); err != nil {
				return err
			}
			err = p.interrupted(c.Context(), run(p, c.Context(), words))
			p.out.end(err)
			return err
		}}
}

// interrupted returns the error that a run of the command ends with: if it was interrupted, with how it is
// continued.
func (p *program) interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil || cli.Code(err) != lab.ExitInterrupted {
		return err
	}
	at := lab.Error{Op: p.out.verb, Err: context.Cause(ctx)}
	if p.out.resumable {
		at.Hint = "run the same command again: it continues where it stopped"
	}
	return &at
}
