package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is how wide help is, in columns.
const helpWidth = 80

// help returns what --help prints.
func help(c *cobra.Command) string {
	var b strings.Builder
	about := strings.TrimSpace(c.Long)
	if about == "" {
		about = strings.ToUpper(c.Short[:min(1, len(c.Short))]) + c.Short[min(1, len(c.Short)):] + "."
	}
	fmt.Fprintf(&b, "%s\n\nUsage:\n", about)
	for _, line := range synopsis(c) {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		width := 0
		for _, sub := range c.Commands() {
			width = max(width, len(sub.Name()))
		}
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-*s  %s\n", width, sub.Name(), sub.Short)
			}
		}
	}
	if own := c.LocalNonPersistentFlags(); own.HasAvailableFlags() {
		fmt.Fprintf(&b, "\nFlags:\n%s", own.FlagUsagesWrapped(helpWidth))
	}
	if shared := c.Root().PersistentFlags(); shared.HasAvailableFlags() {
		fmt.Fprintf(&b, "\nFlags of all commands:\n%s", shared.FlagUsagesWrapped(helpWidth))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s COMMAND --help says more about a command.\n", c.CommandPath())
	}
	return b.String()
}

// synopsis returns the ways to call a command.
func synopsis(c *cobra.Command) (lines []string) {
	if c.Annotations[groupAnnotation] == "" {
		lines = append(lines, c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		lines = append(lines, c.CommandPath()+" COMMAND [flags]")
	}
	return lines
}
