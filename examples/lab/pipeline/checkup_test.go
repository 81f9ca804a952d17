package pipeline_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
)

// TestExamine: an object that hangs does not hold the others, and what it had said is there.
func TestExamine(t *testing.T) {
	quick := func(_ context.Context, report func(lab.Finding)) { report(lab.Finding{Check: "a"}) }
	for name, c := range map[string]struct {
		look func(context.Context, func(lab.Finding))
		want string
		took time.Duration
	}{
		"quick": {quick, "x a ok", 0},
		"slow": {func(_ context.Context, report func(lab.Finding)) {
			time.Sleep(5 * time.Second)
			report(lab.Finding{Check: "a"})
		}, "x a ok", 5 * time.Second},
		"it ends with its context": {func(ctx context.Context, report func(lab.Finding)) {
			report(lab.Finding{Check: "a"})
			<-ctx.Done()
			report(lab.Finding{Check: "b", Verdict: lab.VerdictBad, Text: context.Cause(ctx).Error()})
		}, "x a ok, x b bad timed out: no answer within 10s", 10 * time.Second},
		"it hangs": {func(_ context.Context, report func(lab.Finding)) {
			report(lab.Finding{Check: "a"})
			time.Sleep(time.Hour)
			report(lab.Finding{Check: "too late"})
		}, "x a ok, x answers bad no more answer within 10s", 12 * time.Second},
		"it says nothing": {func(context.Context, func(lab.Finding)) { time.Sleep(time.Hour) },
			"x answers bad no answer within 10s", 12 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				found := pipeline.Examine(t.Context(), 10*time.Second, pipeline.Checkup{Target: "x", Look: c.look},
					pipeline.Checkup{Target: "y", Look: quick})
				if took := time.Since(began); took != c.took {
					t.Errorf("it took %s", took)
				}
				if got := spell(found); got != c.want+", y a ok" {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
				time.Sleep(2 * time.Hour) // what came too late is dropped
			})
		})
	}
}

// TestExamineInterrupted: what was not examined because a person had enough is no fault of the object.
func TestExamineInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Second)
			cancel()
		}()
		found := pipeline.Examine(ctx, time.Minute, pipeline.Checkup{Target: "x",
			Look: func(context.Context, func(lab.Finding)) { time.Sleep(time.Hour) }})
		if got := spell(found); got != "x answers unknown not examined: interrupted" {
			t.Error(got)
		}
		time.Sleep(2 * time.Hour)
	})
}

func spell(found []lab.Finding) string {
	var words []string
	for _, f := range found {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", f.Target, f.Check, f.Verdict, f.Text)))
	}
	return strings.Join(words, ", ")
}
