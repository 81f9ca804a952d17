package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// stageSummary is a stage in the summary.
type stageSummary struct {
	Name    string `json:"name"`
	Changes int    `json:"changes"`
	Done    int    `json:"done"`
	Failed  int    `json:"failed"` // not done, for whatever reason
	Waits   string `json:"waits_for,omitempty"`
	Error   string `json:"error,omitempty"`
}

// cost is what a machine's connection has cost.
type cost struct {
	Connections int64 `json:"connections"`
	Execs       int64 `json:"execs"`
}

// object prints the summary for machines, which ends every run, and returns what people are told of it. second is how many changes a second run
// would make; below 0 when there was none.
func (r *runner) object(results []StageResult, second int, err error) (stages []stageSummary, trips map[string]cost, seconds float64) {
	r.summed = true
	stages, trips = make([]stageSummary, len(results)), map[string]cost{}
	changes, failed := 0, 0
	for i, s := range results {
		st := stageSummary{Name: s.Stage, Waits: s.Waits}
		if s.Plan != nil {
			st.Changes = len(s.Plan.Changes())
		}
		if s.Report != nil {
			st.Done = s.Report.Count(lab.StatusDone)
			st.Failed = len(s.Report.Results) - st.Done
		}
		if s.Err != nil {
			st.Error = s.Err.Error()
		}
		stages[i] = st
		changes += st.Changes
		failed += st.Failed
	}
	for _, m := range r.machines {
		s := m.Counters()
		trips[m.Name()] = cost{s.Connections, s.Execs}
	}
	seconds = time.Since(r.started).Seconds()
	object := map[string]any{"type": "summary", "stages": stages, "changes": changes, "failed": failed, "round_trips": trips, "seconds": seconds}
	if r.lab != nil {
		object["environment"] = r.lab.Environment
	}
	if second >= 0 {
		object["second_run_changes"] = second
	}
	if err != nil {
		object["error"] = err.Error()
	}
	r.out.Object(object)
	return stages, trips, seconds
}

// summary ends a plan or an apply: a table for people, an object of type summary for machines.
func (r *runner) summary(results []StageResult, second int, err error) {
	stages, trips, seconds := r.object(results, second, err)
	r.out.Printf("\n%s", table([]string{"STAGE", "CHANGES", "DONE", "NOT DONE", ""}, func(row func(...any)) {
		for _, s := range stages {
			note := ""
			switch {
			case s.Waits != "":
				note = "waits for " + s.Waits
			case s.Error != "":
				note = "ended with an error"
			}
			row(s.Name, s.Changes, s.Done, s.Failed, note)
		}
	}))
	r.out.Printf("\n%s", table([]string{"MACHINE", "CONNECTIONS", "EXECS"}, func(row func(...any)) {
		for _, m := range r.machines {
			row(m.Name(), trips[m.Name()].Connections, trips[m.Name()].Execs)
		}
	}))
	switch {
	case second == 0:
		r.out.Printf("\nA second run finds nothing to do. %.1f s.\n", seconds)
	case second > 0:
		r.out.Printf("\nA second run would make %d changes. %.1f s.\n", second, seconds)
	default:
		r.out.Printf("\n%.1f s.\n", seconds)
	}
}

// table returns rows under a heading, in columns.
func table(heading []string, fill func(row func(...any))) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(heading, "\t"))
	fill(func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, c)
		}
		fmt.Fprintln(w)
	})
	_ = w.Flush() // a strings.Builder takes everything
	lines := strings.Split(b.String(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n")
}

// machineStatus is a machine in the answer of status.
type machineStatus struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	State   string `json:"state"` // "as wanted", "N changes pending", "not known: ...", or what keeps it from being reached
	OS      string `json:"os,omitempty"`
	Kernel  string `json:"kernel,omitempty"`
	Uptime  string `json:"uptime,omitempty"`
	InSync  bool   `json:"time_in_sync"`
	Pending int    `json:"pending"`
}

// status tells what stands.
func (r *runner) status(ctx context.Context) error {
	rows := make([]machineStatus, len(r.machines))
	facts := make([]host.Facts, len(r.machines))
	errs := make([]error, len(r.machines))
	var wg sync.WaitGroup
	for i, m := range r.machines {
		wg.Go(func() { facts[i], errs[i] = m.Facts(ctx) })
	}
	wg.Wait()
	results := r.stages.Plan(ctx)
	for i, m := range r.machines {
		f := facts[i]
		rows[i] = machineStatus{Type: "machine", Name: m.Name(), State: "as wanted", OS: f.OSName, Kernel: f.Kernel, Uptime: f.Uptime.Round(time.Second).String(), InSync: f.TimeInSync}
		for _, s := range results {
			for _, c := range s.Plan.Changes() {
				if strings.HasPrefix(c.ID, "host/"+m.Name()+"/") {
					rows[i].Pending++
				}
			}
		}
		switch {
		case errs[i] != nil:
			rows[i].State = errs[i].Error()
		case rows[i].Pending > 0:
			rows[i].State = pending(rows[i].Pending)
		default:
			for _, s := range results {
				if why := unknown(s); why != "" && s.Stage != databaseStage {
					rows[i].State = "not known: " + s.Stage + " " + why
					break
				}
			}
		}
		r.out.Object(rows[i])
	}
	r.out.Printf("%s", table([]string{"MACHINE", "OS", "KERNEL", "UP", "CLOCK", "STATE"}, func(row func(...any)) {
		for _, s := range rows {
			clock := "not set"
			if s.InSync {
				clock = "in sync"
			}
			row(s.Name, s.OS, s.Kernel, s.Uptime, clock, s.State)
		}
	}))
	r.out.Printf("\n%s", table([]string{"STAGE", "STATE"}, func(row func(...any)) {
		for _, s := range results {
			state := "as wanted"
			if n := len(s.Plan.Changes()); n > 0 {
				state = pending(n)
			}
			if why := unknown(s); why != "" {
				state = why
			}
			row(s.Stage, state)
		}
	}))
	err := r.failure(results)
	r.object(results, -1, err)
	return err
}

func pending(n int) string {
	if n == 1 {
		return "1 change pending"
	}
	return fmt.Sprintf("%d changes pending", n)
}

// unknown says why a stage cannot be told to be as wanted; "" when it can.
func unknown(s StageResult) string {
	switch {
	case s.Waits != "":
		return "waits for " + s.Waits
	case s.Err != nil:
		return "cannot be planned"
	}
	return ""
}
