package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// ExitCodes ends the description of a program.
const ExitCodes = `Exit codes: 0 done or nothing to do, 2 changes pending, 3 blocked by something
outside, 4 refused by a guard, 1 any other error, 130 interrupted.`

// Run runs the command of the program that the arguments name. The program has, beside its own
// commands, the flags that all programs share, and the commands help, version, man and completion.
// What is wrong with the arguments is an error of [Usage]; with --output json it is printed too, as
// an object of type error.
func Run(ctx context.Context, root *cobra.Command, args []string, stdout, stderr io.Writer) error {
	root.SetOut(stdout)
	root.SetErr(stderr)
	prepare(root)
	began := false
	each(root, func(c *cobra.Command) {
		if run := c.RunE; run != nil {
			c.RunE = func(c *cobra.Command, words []string) error {
				began = true
				return run(c, words)
			}
		}
	})
	root.SetArgs(append([]string{}, args...)) // not nil, which stands for those of the process
	err := oneDash(root, args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	if err != nil && !began && asksForJSON(args) {
		line, _ := json.Marshal(map[string]any{ // strings and a number can be encoded
			"type": "error", "error": err.Error(), "hints": lab.Hints(err), "exit": Code(err)})
		fmt.Fprintf(stdout, "%s\n", line)
	}
	return err
}

// groupAnnotation is on commands that do nothing themselves.
const groupAnnotation = "lab_group"

// prepare completes the command tree of a program.
func prepare(root *cobra.Command) {
	root.SilenceErrors, root.SilenceUsage = true, true
	sharedFlags(root)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { _, _ = io.WriteString(c.OutOrStdout(), help(c)) })
	root.AddCommand(versionCommand(), manCommand())
	root.SetHelpCommand(helpCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	each(root, func(c *cobra.Command) {
		if c.Parent() == root && c.Name() == "completion" {
			c.Short = "print what completes commands and flags in a shell"
		}
		switch {
		case c.HasSubCommands():
			c.Args = unknownCommand
			if !c.Runnable() {
				c.Annotations = map[string]string{groupAnnotation: "true"}
				c.RunE = func(c *cobra.Command, _ []string) error {
					return Usage("a command is missing: %s", list(commandNames(c)))
				}
			}
		case c.Args == nil:
			c.Args = checked(Words(0, 0))
		default:
			c.Args = checked(c.Args)
		}
	})
}

// each calls f with the command and with all below it.
func each(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		each(sub, f)
	}
}

// commandNames are the names of the commands of c that people call.
func commandNames(c *cobra.Command) (names []string) {
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return names
}

// list joins words as in a sentence: "plan, apply or status".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// unknownCommand is the check of the words after a command that has others below it.
func unknownCommand(c *cobra.Command, words []string) error {
	if len(words) == 0 {
		return nil
	}
	names := commandNames(c)
	if near := lab.Nearest(words[0], names); near != "" {
		return Usage("unknown command %q (nearest: %s)", words[0], near)
	}
	return Usage("unknown command %q: %s", words[0], list(names))
}

// Words returns the check of how many words come after a command: at least least, and at most most,
// which means any number below 0.
func Words(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, words []string) error {
		if len(words) < least || most >= 0 && len(words) > most {
			return Usage("want %s", c.UseLine()) // the words are not repeated: they may be the end of a secret
		}
		return nil
	}
}

// Require makes flags of the command required.
func Require(c *cobra.Command, names ...string) {
	for _, name := range names {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err) // a bug: the command has no such flag
		}
	}
}

// checked returns the check of a command's words, after that of its required flags.
func checked(words cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		var missing []string
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Changed && slices.Contains(f.Annotations[cobra.BashCompOneRequiredFlag], "true") {
				missing = append(missing, "--"+f.Name)
			}
		})
		if len(missing) > 0 {
			return Usage("%s required: %s", strings.Join(missing, " and ")+is(missing), c.UseLine())
		}
		return words(c, args)
	}
}

func is(words []string) string {
	if len(words) == 1 {
		return " is"
	}
	return " are"
}

// helpCommand is the command help: what --help says.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]...", Short: "say how a command is called", Args: Words(0, -1),
		RunE: func(c *cobra.Command, words []string) error {
			about, rest, err := c.Root().Find(words)
			if err == nil && len(rest) > 0 {
				err = unknownCommand(about, rest)
			}
			if err != nil {
				return err
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}
