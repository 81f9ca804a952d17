package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Names of the flags that all programs share.
const (
	outputFlag  = "output"
	colorFlag   = "color"
	quietFlag   = "quiet"
	verboseFlag = "verbose"
)

// choice is a flag whose value is one of some words.
type choice struct {
	value string
	words []string
}

// String implements [pflag.Value].
func (c *choice) String() string { return c.value }

// Type implements [pflag.Value].
func (c *choice) Type() string { return strings.Join(c.words, "|") }

// Set implements [pflag.Value].
func (c *choice) Set(s string) error {
	if !slices.Contains(c.words, s) {
		return errors.New(list(c.words))
	}
	c.value = s
	return nil
}

// Choice defines a flag of the command whose value is one of the words; the first is the default.
func Choice(c *cobra.Command, flags *pflag.FlagSet, name, usage string, words ...string) {
	flags.Var(&choice{words[0], words}, name, usage)
	if err := c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // a bug: it was just defined
	}
}

// sharedFlags defines the flags that all programs share.
func sharedFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	Choice(root, flags, outputFlag, "text for people, or json: an object a line", "text", "json")
	Choice(root, flags, colorFlag, "when to use colours; auto: on a terminal, unless NO_COLOR is set",
		"auto", "always", "never")
	flags.BoolP(quietFlag, "q", false, "plans in their short form, and of progress only what failed")
	flags.BoolP(verboseFlag, "v", false, "also what changes print, and why one failed as soon as it has")
}

// OptionsOf returns how a command is to print, by the flags that all programs share.
func OptionsOf(c *cobra.Command) Options {
	set := func(name string) bool { return c.Flag(name).Value.String() == "true" }
	return Options{JSON: c.Flag(outputFlag).Value.String() == "json", Color: c.Flag(colorFlag).Value.String(),
		Quiet: set(quietFlag), Verbose: set(verboseFlag)}
}

// PrinterOf returns the printer of a command, to its standard output. say is its [Printer].Say.
func PrinterOf(c *cobra.Command, say func(lab.Setting) string) (*Printer, error) {
	p, err := NewPrinter(c.OutOrStdout(), OptionsOf(c))
	if err != nil {
		return nil, err
	}
	p.Say = say
	return p, nil
}

// asksForJSON reports whether the arguments ask for JSON, even behind a mistake.
func asksForJSON(args []string) bool {
	for i, a := range args {
		if a == "--"+outputFlag+"=json" || a == "json" && i > 0 && args[i-1] == "--"+outputFlag {
			return true
		}
	}
	return false
}

// oneDash returns an error if an argument is a long flag with one dash, which means something else:
// "-config x" is "--config onfig x".
func oneDash(root *cobra.Command, args []string) error {
	c, _, err := root.Find(args)
	if err != nil {
		return nil // it is reported when it is run
	}
	c.InitDefaultHelpFlag()
	for _, a := range args {
		if a == "--" {
			return nil
		}
		name, _, _ := strings.Cut(a, "=")
		if name, ok := strings.CutPrefix(name, "-"); ok && len(name) > 1 && c.Flag(name) != nil {
			return Usage("-%s: a flag with a long name has two dashes: --%s", name, name)
		}
	}
	return nil
}

// flagError returns the error for a flag that cannot be parsed.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return Usage("%v", err)
	}
	name, dashes := unknown.GetSpecifiedName(), "--"
	if short := unknown.GetSpecifiedShortnames(); short != "" {
		name, dashes = short, "-"
	}
	var names, with []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	for _, sub := range c.Commands() {
		if f := sub.Flags().Lookup(name); f != nil || len(name) == 1 && sub.Flags().ShorthandLookup(name) != nil {
			with = append(with, sub.Name())
		}
	}
	if len(with) > 0 {
		return Usage("%s%s needs a command: %s", dashes, name, list(with))
	}
	if near := lab.Nearest(name, names); near != "" {
		return Usage("unknown flag %s%s (nearest: --%s)", dashes, name, near)
	}
	return Usage("unknown flag %s%s", dashes, name)
}
