package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// testProgram is a program with a command of each kind; it says what it was called with.
func testProgram() *cobra.Command {
	root := &cobra.Command{Use: "prog", Short: "try the command line", Long: "Try the command line.\n\n  prog plan FILE\n\n" +
		ExitCodes}
	var only []string
	plan := &cobra.Command{Use: "plan [flags] FILE...", Short: "show it", Args: Words(1, 2),
		RunE: func(c *cobra.Command, words []string) error {
			_, err := c.OutOrStdout().Write([]byte(strings.Join(words, " ") + " only " + strings.Join(only, " ") + "\n"))
			return err
		}}
	plan.Flags().StringArrayVar(&only, "only", nil, "only what this `glob` selects, as file:*, host/pi1/* (may be repeated)")
	plan.Flags().StringP("config", "c", "", ".a config `file`")
	reach := &cobra.Command{Use: "reach --host HOST", Short: "reach it", Args: Words(0, 0),
		RunE: func(*cobra.Command, []string) error { return lab.ErrUnreachable }}
	reach.Flags().String("host", "", "the machine")
	Require(reach, "host")
	group := &cobra.Command{Use: "backup", Short: "of data"}
	group.AddCommand(PrintCommand("list", "list them", "none\n"))
	root.AddCommand(plan, reach, group)
	return root
}

func TestRun(t *testing.T) {
	for line, want := range map[string]struct {
		code int
		says string // on stdout, or in the error
	}{
		"plan a b --only x":            {0, "a b only x"},
		"plan --only x a --only y,z":   {0, "a only x y,z"},
		"plan -- --only":               {0, "--only only"},
		"plan -q a":                    {0, "a only"},
		"backup list":                  {0, "none"},
		"version":                      {0, "prog "},
		"version --output json":        {0, `{"type":"version","program":"prog"`},
		"completion zsh":               {0, "#compdef prog"},
		"completion fish":              {0, "fish completion"},
		"completion powershell":        {0, "powershell completion"},
		"__complete plan --color a":    {0, "auto\nalways\nnever"},
		"help":                         {0, "prog COMMAND [flags]"},
		"help backup":                  {0, "prog backup COMMAND"},
		"help backup list":             {0, "List them."},
		"plan -h":                      {0, "--only glob"},
		"":                             {1, "a command is missing: backup, completion, man, plan, reach or version"},
		"backup":                       {1, "a command is missing: list"},
		"plam a":                       {1, `unknown command "plam" (nearest: plan)`},
		"backup lst":                   {1, `unknown command "lst" (nearest: list)`},
		"help plam":                    {1, `unknown command "plam" (nearest: plan)`},
		"completion tcsh":              {1, `unknown command "tcsh"`},
		"plan":                         {1, "want prog plan [flags] FILE..."},
		"plan a b s3cret":              {1, "want prog plan [flags] FILE..."},
		"plan a --onyl x":              {1, "unknown flag --onyl (nearest: --only)"},
		"plan a --zzzzzzzz":            {1, "unknown flag --zzzzzzzz"},
		"plan a -only x":               {1, "-only: a flag with a long name has two dashes: --only"},
		"plan a -config x":             {1, "-config: a flag with a long name has two dashes: --config"},
		"plan a -config=x":             {1, "-config: a flag with a long name has two dashes"},
		"plan a -help":                 {1, "two dashes: --help"},
		"plan a -x":                    {1, "unknown flag -x"},
		"plan a --only":                {1, "flag needs an argument: --only"},
		"plan a --output xml":          {1, "text or json"},
		"--only x":                     {1, "--only needs a command: plan"},
		"-c x":                         {1, "-c needs a command: plan"},
		"reach":                        {1, "--host is required: prog reach --host HOST"},
		"reach --host x":               {1, "unreachable"},
		"reach --host x --output json": {1, "unreachable"},
		"plam --output json":           {1, `{"error":"read command line: invalid: unknown command`},
		"plan --output=json --nope":    {1, `"exit":1,"hints":["see -h"],"type":"error"}`},
	} {
		var out, errs bytes.Buffer
		err := Run(t.Context(), testProgram(), strings.Fields(line), &out, &errs)
		text := out.String()
		if err != nil {
			text += err.Error()
		}
		if Code(err) != want.code || !strings.Contains(text, want.says) || strings.Contains(text, "s3cret") {
			t.Errorf("%s: %d %s%s", line, Code(err), text, errs.String())
		}
		if want.code != 0 && !strings.Contains(line, "json") && out.Len() > 0 {
			t.Errorf("%s: prints %s", line, out.String())
		}
		if line == "reach --host x --output json" && out.Len() > 0 {
			t.Errorf("%s: prints %s, which is for the command to do", line, out.String())
		}
	}
}

// TestHelp: 80 columns suffice, and nothing is printed twice.
func TestHelp(t *testing.T) {
	for _, line := range []string{"help", "plan --help", "help reach", "help man", "help version", "help help"} {
		var out, errs bytes.Buffer
		if err := Run(t.Context(), testProgram(), strings.Fields(line), &out, &errs); err != nil || errs.Len() > 0 {
			t.Errorf("%s: %v, %s", line, err, errs.String())
		}
		for l := range strings.Lines(out.String()) {
			if utf8.RuneCountInString(l) > helpWidth+1 {
				t.Errorf("%s: too wide: %s", line, l)
			}
		}
		if n := strings.Count(out.String(), "Usage:"); n != 1 {
			t.Errorf("%s: %s", line, out.String())
		}
	}
}

func TestManPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	var out bytes.Buffer
	for range 2 { // the second replaces the first
		if err := Run(t.Context(), testProgram(), []string{"man", dir}, &out, &out); err != nil || out.Len() > 0 {
			t.Fatal(err, out.String())
		}
	}
	for file, want := range map[string][]string{
		"prog.1": {".TH \"PROG\" 1\n", "prog \\- try the command line\n", ".nf\n  prog plan FILE\n.PP\n.fi\nExit codes:",
			"prog\\-plan(1)"},
		"prog-plan.1": {"\\fB\\-\\-only\\fR \\fIglob\\fR\nonly what this glob selects, as file:*, host/pi1/* (may",
			"\\fB\\-c\\fR, \\fB\\-\\-config\\fR \\fIfile\\fR\n\\&.a config file\n", "\\fB\\-\\-output\\fR \\fItext|json\\fR"},
		"prog-backup-list.1": {"prog\\-backup(1)\n"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		for _, w := range want {
			if err != nil || !strings.Contains(string(text), w) {
				t.Errorf("%s: no %q, %v, in\n%s", file, w, err, text)
			}
		}
	}
}

func TestBuild(t *testing.T) {
	info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.modified", Value: "true"}}}
	if got := buildOf("lab", info).String(); !strings.HasPrefix(got, "lab v1.2.3, commit 0123abcd with changes, go1") {
		t.Error(got)
	}
	if got := buildOf("lab", nil).String(); !strings.HasPrefix(got, "lab (unknown), go1") {
		t.Error(got)
	}
}
