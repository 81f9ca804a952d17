package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// manCommand is the command man. Package cobra/doc is not used: it reads help as Markdown, in which
// globs such as file:* are emphasis, and needs three more modules.
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "write the manual pages of the program into a directory", Args: Words(1, 1),
		RunE: func(c *cobra.Command, words []string) (err error) {
			if err := os.MkdirAll(words[0], 0o755); err != nil {
				return &lab.Error{Op: "write manual", Path: words[0], Err: err}
			}
			each(c.Root(), func(c *cobra.Command) {
				if err == nil && (c.Parent() == nil || c.IsAvailableCommand()) {
					err = WriteFile(filepath.Join(words[0], pageName(c)+".1"), []byte(manPage(c)), 0o644)
				}
			})
			return err
		},
	}
}

// pageName returns the name of a command's manual page.
func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manPage returns the manual page of a command, in the macros of man(7).
func manPage(c *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %q 1\n.SH NAME\n%s \\- %s\n", strings.ToUpper(pageName(c)), roff(pageName(c)), roff(c.Short))
	b.WriteString(".SH SYNOPSIS\n.nf\n")
	for _, line := range synopsis(c) {
		fmt.Fprintf(&b, "%s\n", roff(line))
	}
	b.WriteString(".fi\n")
	if about := strings.TrimSpace(c.Long); about != "" {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n%s", roffText(about))
	}
	c.InitDefaultHelpFlag()
	roffFlags(&b, "OPTIONS", c.LocalNonPersistentFlags())
	roffFlags(&b, "OPTIONS OF ALL COMMANDS", c.Root().PersistentFlags())
	var others []string
	if c.HasParent() {
		others = append(others, roff(pageName(c.Parent()))+"(1)")
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			others = append(others, roff(pageName(sub))+"(1)")
		}
	}
	if len(others) > 0 {
		fmt.Fprintf(&b, ".SH SEE ALSO\n%s\n", strings.Join(others, ", "))
	}
	return b.String()
}

// roffFlags writes a section about flags.
func roffFlags(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		b.WriteString(".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(b, "\\fB\\-%s\\fR, ", f.Shorthand)
		}
		fmt.Fprintf(b, "\\fB\\-\\-%s\\fR", roff(f.Name))
		if value != "" {
			fmt.Fprintf(b, " \\fI%s\\fR", roff(value))
		}
		fmt.Fprintf(b, "\n%s\n", roff(usage))
	})
}

// roffText returns a text of paragraphs, in which indented lines are kept as they are.
func roffText(text string) string {
	var b strings.Builder
	kept := false
	for line := range strings.SplitSeq(text, "\n") {
		indented := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		switch {
		case line == "":
			line = ".PP"
		case indented && !kept:
			line = ".nf\n" + roff(line)
		case !indented && kept:
			line = ".fi\n" + roff(line)
		default:
			line = roff(line)
		}
		kept = indented || kept && line == ".PP"
		fmt.Fprintf(&b, "%s\n", line)
	}
	if kept {
		b.WriteString(".fi\n")
	}
	return b.String()
}

// roff escapes a line for man(7), so that it is printed as it is.
func roff(line string) string {
	line = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\t", "    ").Replace(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		line = `\&` + line
	}
	return line
}
