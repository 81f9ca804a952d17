package host

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// aptProbe is the name of the probe that simulates apt-get.
const aptProbe = "apt:side-effects"

// aptSimulation is what apt-get would do to bring all packages of the state to their wanted state.
type aptSimulation struct {
	auto      map[string]bool     // wanted packages that count as installed for the sake of others, with ":ARCH"
	ran       bool                // a package differs
	failed    bool                // apt-get cannot do it, see problems
	actions   []aptAction         // in the order of apt-get
	downgrade map[string]bool     // packages that get an older version
	held      []string            // packages on hold that change
	virtual   map[string][]string // a name that is not that of a package -> the packages that provide it
	problems  []string
}

// aptAction is the installation, change of version or removal of a package.
type aptAction struct {
	name     string // with ":ARCH" if that is not the machine's
	from, to string // versions; "-" for none
}

// The lines of apt-get -s that announce actions, as in "Inst chrony [4.2] (4.3 Debian:12/stable [arm64])".
var (
	aptInstalls = regexp.MustCompile(`^Inst (\S+) (?:\[([^\]]*)\] )?\((\S+)`)
	aptRemoves  = regexp.MustCompile(`^(?:Remv|Purg) (\S+) \[([^\]]*)\]`)
)

// aptSimulationOf reads the answer of the probe, see sh/apt-simulate.sh.
func aptSimulationOf(o *Observation) aptSimulation {
	answer := o.Probe(aptProbe)
	marks, text, ran := strings.Cut("\n"+string(answer.Output), "\nsimulate\n")
	s := aptSimulation{
		auto: aptMarks(marks), ran: ran, failed: ran && answer.Exit != 0,
		downgrade: map[string]bool{}, virtual: map[string][]string{},
	}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case strings.HasPrefix(line, "  "):
			s.list(section, words)
		case strings.HasPrefix(line, "E: "), strings.HasPrefix(line, " ") && strings.Contains(line, " : "):
			s.problems = append(s.problems, strings.TrimPrefix(strings.TrimSpace(line), "E: "))
		case words[0] == "virtual":
			s.virtual[words[1]] = words[2:]
		default:
			section = line
			s.act(line)
		}
	}
	return s
}

// list reads a list of names, which follows its heading in lines that begin with two spaces.
func (s *aptSimulation) list(heading string, names []string) {
	switch heading {
	case "The following packages will be DOWNGRADED:":
		for _, n := range names {
			s.downgrade[n] = true
		}
	case "The following held packages will be changed:":
		s.held = append(s.held, names...)
	}
}

// act reads a line that may announce an action.
func (s *aptSimulation) act(line string) {
	if m := aptInstalls.FindStringSubmatch(line); m != nil {
		if m[2] == "" {
			m[2] = "-"
		}
		s.actions = append(s.actions, aptAction{name: m[1], from: m[2], to: m[3]})
	}
	if m := aptRemoves.FindStringSubmatch(line); m != nil {
		s.actions = append(s.actions, aptAction{name: m[1], from: m[2], to: "-"})
	}
}

// aptMarks returns the packages, with their architecture, that stanzas of apt's extended_states mark.
func aptMarks(text string) map[string]bool {
	auto, name := map[string]bool{}, ""
	for line := range strings.Lines(text) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), ": "); {
		case key == "Package":
			name = value
		case key == "Architecture":
			name, _, _ = strings.Cut(name, ":")
			name += ":" + value
		case key == "Auto-Installed" && value == "1":
			auto[name] = true
		}
	}
	return auto
}

// planned returns the actions as sh/apt-guard.sh compares them, one a line.
func (s aptSimulation) planned() string {
	var lines []string
	for _, a := range s.actions {
		lines = append(lines, a.name+" "+a.from+" "+a.to)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// exact reports whether the simulation is what apt-get will do: it could make the changes, and the package
// lists are not downloaded before. After changes have been made, what is found then was never shown.
func (s aptSimulation) exact(o *Observation) bool {
	return s.ran && !s.failed && !o.final && aptStale(o) == ""
}

// batch returns the command to which the words of packages are appended, see sh/apt-packages.sh.
func (s aptSimulation) batch(o *Observation) string {
	exact, planned := "", ""
	if s.exact(o) {
		exact = "yes"
	}
	if !o.final {
		planned = s.planned()
	}
	guard := shell("apt-guard", "planned", planned, "exact", exact)
	return shell("apt-words", "options", aptOptions, "failed", aptFailed, "planned", planned, "guard", guard) +
		shell("apt-run") + shell("apt-packages") + "install_packages"
}

// cannotInstall returns why apt-get could not install the package, if that is certain.
func (s aptSimulation) cannotInstall(pkg string, o *Observation) error {
	if !s.ran || o.final || aptStale(o) != "" {
		return nil
	}
	name, why := o.shortName(pkg), ""
	for _, problem := range s.problems {
		if aboutPackage(problem, name) {
			why = problem
		}
	}
	providers := s.virtual[name]
	switch {
	case len(providers) > 0 && (why != "" || !s.failed):
		return &lab.Error{Op: "install package", Hint: "set name: " + strings.Join(providers, ", or "),
			Err: fmt.Errorf("%w: no package has this name, which others provide: %s", lab.ErrNotFound,
				strings.Join(providers, ", "))}
	case why != "":
		return &lab.Error{Op: "install package", Hint: "add the package source that has it, or see: apt-cache policy " + pkg,
			Err: fmt.Errorf("%w: %s", lab.ErrNotFound, why)}
	}
	return nil
}

// aboutPackage reports whether a problem is that apt-get does not find the package or its version.
func aboutPackage(problem, name string) bool {
	return problem == "Unable to locate package "+name || problem == "Package '"+name+"' has no installation candidate" ||
		strings.HasPrefix(problem, "Version '") && strings.HasSuffix(problem, "' for '"+name+"' was not found")
}
