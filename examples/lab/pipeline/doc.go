// Package pipeline joins the layers of the lab: stages that are planned and applied one after the
// other, each when those that it comes after stand. A stage knows how to plan itself and nothing of
// the others.
//
//	p := pipeline.Pipeline{Stages: []pipeline.Stage{{Name: "01_system", Plan: pipeline.Machines(fleet, want)}}}
//	results, err := p.Plan(ctx)
//
// A stage is planned when its turn comes, not before: what it reads may be made by an earlier one.
// So a plan of the whole lab is of what can be known now; a stage that cannot be planned yet says
// what it waits for.
//
// [Examine] looks at objects instead, and changes nothing: each layer gives it a [Checkup] for each of its own.
//
// # Selection
//
// [Pipeline.Only] limits a run to changes by the IDs that plans show. Each stage selects among its
// own before it reads more than it needs, and offers the IDs that there are to choose from, changed
// or not. What the selected changes come after is taken to be right. Secrets that are new are kept
// whenever anything of the same plan is selected, see [lab.Keyring].
package pipeline
