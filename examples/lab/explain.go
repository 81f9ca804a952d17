package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

// kindsExample has one resource of every kind, but for that of hostnameExample.
//
//go:embed kinds.yaml
var kindsExample []byte

// hostnameExample is not part of a config that is right: every machine has a name by its place in the inventory.
const hostnameExample = "resources: [{on: pi1, state: [hostname: {name: nas, domain: arcodange.lab}]}]"

// reference returns the reference of the config.
func reference() (*strictyaml.Reference, error) {
	return strictyaml.NewReference([]byte(schema), defaultConfig, kindsExample, []byte(hostnameExample))
}

// explainCommand is the command that explains the config.
func explainCommand() *cobra.Command {
	return &cobra.Command{Use: "explain [PATH]", Short: "say what may be written in the config",
		Long: `Say what may be written at a place in the config: its type, the values that are
allowed, the default, and an example. PATH is a section, as stacks.gitea, or a
kind of resource, as file, or a field of one of them, as file.mode; the paths in
messages do too. Without it, all sections and kinds are listed.`,
		Args: cli.Words(0, 1),
		RunE: func(cmd *cobra.Command, words []string) error {
			out, err := cli.PrinterOf(cmd, say)
			if err != nil {
				return err
			}
			return explain(out, strings.Join(words, ""))
		},
		ValidArgsFunction: func(_ *cobra.Command, words []string, _ string) ([]string, cobra.ShellCompDirective) {
			r, err := reference()
			if err != nil || len(words) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return append(r.Sections(), r.Kinds()...), cobra.ShellCompDirectiveNoFileComp
		}}
}

// explain shows what may be written at a place in the config; an empty path lists its sections and
// the kinds of resources.
func explain(out *cli.Printer, path string) error {
	r, err := reference()
	if err != nil {
		return err
	}
	e, err := r.Explain(path)
	var wrong *lab.Error
	if errors.As(err, &wrong) && wrong.Hint == "" {
		wrong.Hint = "lab explain lists what there is"
	}
	if err != nil {
		return err
	}
	if out.JSON {
		out.Object(struct {
			Type string `json:"object"`
			*strictyaml.Explanation
		}{"explanation", e})
		return nil
	}
	if path == "" {
		out.Printf("%s", contents(r, e))
		return nil
	}
	out.Printf("%s", explained(e))
	return nil
}

// explained returns an explanation as text of at most 80 columns.
func explained(e *strictyaml.Explanation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", e.Path)
	row := func(name, text string) {
		if text == "" {
			return
		}
		for i, line := range wrapLines(text, 80-11) {
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(&b, "  %-7s  %s\n", name, line)
		}
	}
	row("type", e.Type)
	row("form", e.Form)
	row("values", strings.Join(e.Values, ", "))
	if e.Default != nil {
		row("default", written(e.Default))
	}
	if e.Required {
		row("must", "be there")
	}
	if e.Doc != "" {
		b.WriteByte('\n')
		for _, line := range paragraphs(e.Doc, 78) {
			b.WriteString(strings.TrimRight("  "+line, " ") + "\n")
		}
	}
	if len(e.Fields) > 0 {
		fmt.Fprintf(&b, "\nfields (* must be there)\n")
		b.WriteString(fieldTable(e.Fields))
	}
	if e.Example != "" {
		fmt.Fprintf(&b, "\nexample\n")
		for line := range strings.Lines(e.Example) {
			b.WriteString(strings.TrimRight("  "+strings.TrimRight(line, "\n"), " ") + "\n")
		}
	}
	return b.String()
}

// fieldTable returns the fields of a mapping: the name, its type, and the first sentence about it.
func fieldTable(fields []strictyaml.Explanation) string {
	var rows [][2]string
	for _, f := range fields {
		name, text := f.Path, f.Type
		if f.Required {
			name += "*"
		}
		if len(f.Values) > 0 {
			text = strings.Join(f.Values, ", ")
		}
		if doc := firstSentence(f.Path, f.Doc); doc != "" {
			text += ": " + doc
		}
		rows = append(rows, [2]string{name, text})
	}
	return columns(rows)
}

// contents lists the sections of the config and the kinds of resources.
func contents(r *strictyaml.Reference, e *strictyaml.Explanation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The config has these sections (* must be there):\n%s", fieldTable(e.Fields))
	var rows [][2]string
	for _, name := range r.Kinds() {
		kind, err := r.Explain(name)
		if err != nil {
			continue
		}
		rows = append(rows, [2]string{name, firstSentence(name, kind.Doc)})
	}
	fmt.Fprintf(&b, "\nThe kinds of resources, for resources[].state:\n%s", columns(rows))
	b.WriteString("\nMore: lab explain SECTION, KIND or KIND.FIELD, as in lab explain stacks.gitea or file.mode.\n")
	return b.String()
}

// columns returns rows of two columns, 80 wide, the second one wrapped.
func columns(rows [][2]string) string {
	width := 0
	for _, r := range rows {
		width = max(width, len(r[0]))
	}
	var b strings.Builder
	for _, r := range rows {
		for i, line := range wrapLines(r[1], 80-4-width) {
			name := r[0]
			if i > 0 {
				name = ""
			}
			b.WriteString(strings.TrimRight(fmt.Sprintf("  %-*s  %s", width, name, line), " ") + "\n")
		}
	}
	return b.String()
}

// sentenceEnd is the end of a sentence: the next one begins with a capital letter.
var sentenceEnd = regexp.MustCompile(`\. [A-Z]|\n`)

// goName is how the comment of a Go declaration begins.
var goName = regexp.MustCompile(`^([A-Z]\w*) (?:is|are) `)

// firstSentence returns the first sentence of the comment of a field, without the name, which is beside it.
func firstSentence(name, doc string) string {
	if m := goName.FindStringSubmatch(doc); m != nil && strings.EqualFold(m[1], name) {
		doc = doc[len(m[0]):]
	}
	if at := sentenceEnd.FindStringIndex(doc); at != nil {
		doc = doc[:at[0]]
	}
	return strings.TrimSuffix(doc, ".")
}

// paragraphs wraps a comment, and leaves what is indented in it as it is.
func paragraphs(doc string, width int) (lines []string) {
	for line := range strings.SplitSeq(doc, "\n") {
		if strings.HasPrefix(line, "\t") || strings.HasPrefix(line, " ") {
			lines = append(lines, "  "+strings.ReplaceAll(strings.TrimLeft(line, "\t"), "\t", "  "))
			continue
		}
		lines = append(lines, wrapLines(line, width)...)
	}
	return lines
}

// written returns a default as a config has it.
func written(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
