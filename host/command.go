package host

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Command is a command that is run if the machine does not yet have its effect. At least one of
// Unless, Creates and Removes must define how that is observed.
type Command struct {
	Order `yaml:",inline"`

	Name string `yaml:"name,required"`
	Run  string `yaml:"run,required"` // POSIX sh, as root with set -e, working directory /

	Unless  string `yaml:"unless"`  // a read-only script, run at every plan: if it succeeds, Run is not needed
	Creates string `yaml:"creates"` // a path: if it exists, Run is not needed
	Removes string `yaml:"removes"` // a path: if it does not exist, Run is not needed

	Env  map[string]lab.SecretRef `yaml:"env"`  // references to secrets, exported to Run as environment variables
	Risk lab.Risk                 `yaml:"risk"` // what running it may cost: none, restart, disrupt or dataloss

	// Temps are the temporary files of Run, as those of an [Op]. If the run is cut off, the next one removes them.
	Temps []string `yaml:"-"`

	// Values are variables whose values the program holds; a document refers to them with Env.
	Values map[string]lab.Secret `yaml:"-"`
}

// ID returns "command:NAME".
func (c Command) ID() string { return "command:" + c.Name }

var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Validate implements [Resource].
func (c Command) Validate() (ps lab.Problems) {
	if strings.TrimSpace(c.Name) == "" || strings.ContainsAny(c.Name, "\n\x00") {
		ps.Add("name", "is empty or contains a newline")
	}
	if strings.TrimSpace(c.Run) == "" {
		ps.Add("run", "is empty")
	}
	for field, s := range map[string]string{"run": c.Run, "unless": c.Unless} {
		if strings.ContainsRune(s, 0) {
			ps.Add(field, "contains a NUL byte")
		}
	}
	if c.Unless == "" && c.Creates == "" && c.Removes == "" {
		ps = append(ps, lab.Problem{Path: "unless", Message: "the command would run every time",
			Hint: "set unless, creates or removes"})
	}
	for field, p := range map[string]string{"creates": c.Creates, "removes": c.Removes} {
		if p != "" {
			checkPath(&ps, field, p)
		}
	}
	for _, k := range append(sortedKeys(c.Env), sortedKeys(c.Values)...) {
		if !variablePattern.MatchString(k) {
			ps = append(ps, lab.Problem{Path: "env." + k, Message: "is not a variable name"})
		}
	}
	return ps
}

// Relations implements [Related].
func (c Command) Relations() Relations { return Relations{Provides: c.provides(), Needs: c.needs()} }

// provides returns the tokens that it provides.
func (c Command) provides() []string {
	if c.Creates != "" {
		return []string{"path:" + c.Creates}
	}
	return nil
}

// needs returns the tokens that it needs.
func (c Command) needs() []string {
	if c.Creates != "" {
		return []string{"path:" + c.Creates}
	}
	return nil
}

// Fingerprint implements [Fingerprinter].
func (c Command) Fingerprint() string { return "command " + c.Run }

// Resolve implements [Resolver].
func (c Command) Resolve(read func(string, lab.SecretRef) lab.Secret) Resource {
	c.Values = resolveAll("env", c.Env, c.Values, read)
	return c
}

// Secrets returns the values of the variables.
func (c Command) Secrets() (out []lab.Secret) {
	for _, v := range c.Values {
		out = append(out, v)
	}
	return out
}

// Observe implements [Resource].
func (c Command) Observe(q *Query) {
	if c.Creates != "" {
		q.Path(c.Creates)
	}
	if c.Removes != "" {
		q.Path(c.Removes)
	}
	if c.Unless != "" {
		q.Probe(c.ID(), c.Unless)
	}
}

// Plan implements [Resource].
func (c Command) Plan(o *Observation) ([]Op, error) {
	var causes []string
	if c.Creates != "" {
		if o.Stat(c.Creates).Type != NoFile {
			return nil, nil
		}
		causes = append(causes, lab.Printable(c.Creates)+" does not exist")
	}
	if c.Removes != "" {
		if o.Stat(c.Removes).Type == NoFile {
			return nil, nil
		}
		causes = append(causes, lab.Printable(c.Removes)+" exists")
	}
	if c.Unless != "" {
		r := o.Probe(c.ID())
		if r.Exit == 0 {
			return nil, nil
		}
		causes = append(causes, fmt.Sprintf("its check exits with status %d", r.Exit))
	}
	var b strings.Builder
	for _, k := range sortedKeys(c.Values) {
		fmt.Fprintf(&b, "%s=%s; export %s\n", k, ssh.Quote(c.Values[k].Reveal()), k)
	}
	// In a shell of its own: after its exit, return or exec, what it has done is still written to disk.
	fmt.Fprintf(&b, "( eval %s )", ssh.Quote(c.Run))
	b.WriteString(c.settle())
	return []Op{{Action: lab.Run, Cause: strings.Join(causes, ", "), Risk: c.Risk, Script: b.String(),
		Temps: c.Temps}}, nil
}

// settle returns the script lines that write to disk what the command has done before it counts as done:
// after a power cut the path would be there, and what was made with it might not.
func (c Command) settle() string {
	out := ""
	if c.Creates != "" {
		out += fmt.Sprintf("\n\n[ ! -e %[1]s ] || sync -f -- %[1]s", ssh.Quote(c.Creates))
	}
	if c.Removes != "" {
		out += fmt.Sprintf("\n\n[ ! -d %[1]s ] || sync -f -- %[1]s", ssh.Quote(path.Dir(c.Removes)))
	}
	return out
}
