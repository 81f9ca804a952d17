package cli

import (
	"io"

	"github.com/spf13/cobra"
)

// PrintCommand returns a command that prints a text.
func PrintCommand(name, short, text string) *cobra.Command {
	return &cobra.Command{Use: name, Short: short, Args: Words(0, 0), RunE: func(c *cobra.Command, _ []string) error {
		_, err := io.WriteString(c.OutOrStdout(), text)
		return err
	}}
}
