package gcs

import (
	"encoding/json"
	"strconv"
)

// lifecycleRule is a rule as the API has it. Conditions are kept as they are: there are more than are known here.
type lifecycleRule struct {
	Action struct {
		Type         string `json:"type"`
		StorageClass string `json:"storageClass,omitempty"`
	} `json:"action"`
	Condition map[string]any `json:"condition"`
}

const (
	abortUploads = "AbortIncompleteMultipartUpload"
	deletes      = "Delete"
)

// wire returns a rule as it is sent.
func (w Rule) wire() (r lifecycleRule) {
	r.Action.Type = w.Action
	r.Condition = map[string]any{}
	for name, n := range map[string]int{"age": w.Age, "numNewerVersions": w.NewerVersions, "daysSinceNoncurrentTime": w.NoncurrentDays} {
		if n > 0 {
			r.Condition[name] = n
		}
	}
	return r
}

// text is a rule in the one form in which rules are compared.
func (r lifecycleRule) text() string {
	b, err := json.Marshal(r.Condition) // whose keys it sorts
	if err != nil {
		return r.Action.Type
	}
	return r.Action.Type + r.Action.StorageClass + " if " + string(b)
}

// live reports whether a rule touches the live version of an object. An upload that was never completed is none. Of an object
// that has a newer version, and of one that was succeeded, it is not the live one
// (docs.cloud.google.com/storage/docs/lifecycle, "Conditions").
func (r lifecycleRule) live() bool {
	if r.Action.Type == abortUploads {
		return false
	}
	if isLive, ok := r.Condition["isLive"].(bool); ok {
		return isLive
	}
	for _, name := range []string{"numNewerVersions", "daysSinceNoncurrentTime"} {
		if n, ok := r.Condition[name].(float64); ok && n > 0 {
			return false
		}
	}
	_, succeeded := r.Condition["noncurrentTimeBefore"]
	return !succeeded
}

func texts(rules []lifecycleRule) (all []string) {
	for _, r := range rules {
		all = append(all, r.text())
	}
	return all
}

// seconds are an int64 as the API writes it.
func seconds(n int64) string { return strconv.FormatInt(n, 10) }
