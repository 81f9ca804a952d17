package k3stest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

func (s *Suite) cases(t *testing.T) {
	for name, run := range map[string]func(*Suite, *testing.T){
		"Converged":      (*Suite).converged,
		"Probed":         (*Suite).probed,
		"Refused":        (*Suite).refused,
		"ForeignOwner":   (*Suite).foreignOwner,
		"Adopted":        (*Suite).adopted,
		"Edited":         (*Suite).edited,
		"Immutable":      (*Suite).immutable,
		"Prune":          (*Suite).prune,
		"Kept":           (*Suite).kept,
		"Secret":         (*Suite).secret,
		"FieldRemoved":   (*Suite).fieldRemoved,
		"BeingRemoved":   (*Suite).beingRemoved,
		"Identity":       (*Suite).identity,
		"TwoOwners":      (*Suite).twoOwners,
		"OwnsMoreFields": (*Suite).ownsMoreFields,
		"Health":         (*Suite).health,
		"Releases":       (*Suite).releases,
		"LonghornStays":  (*Suite).longhornStays,
		"Mutations":      (*Suite).mutations,
	} {
		t.Run(name, func(t *testing.T) { run(s, t) })
	}
}

// converged: a plan of what is as it is wanted asks for no dry run, whatever the server has filled in.
func (s *Suite) converged(t *testing.T) {
	w := s.world(t, namespace, configMap, secret, service, deployment, widgets, widget)
	w.apply(t)
	before, total := w.Requests(), w.Total()
	if p := w.plan(t); !p.Empty() {
		t.Errorf("there is to do:\n%v", p)
	}
	for request, n := range w.Requests() {
		if strings.HasPrefix(request, "PATCH") && n != before[request] {
			t.Errorf("the server was asked by a dry run: %s", request)
		}
	}
	if w.Total() == total {
		t.Error("no requests: nothing is counted")
	}
}

// refused: what no server takes is said when planning, and the plan for the others is there.
func (s *Suite) refused(t *testing.T) {
	for _, test := range []struct {
		name, manifest string
		kind           error
		says           string
	}{
		{"unknown field", strings.Replace(deployment, "containers:", "contaners: []\n      containers:", 1), lab.ErrInvalid, "contaners"},
		{"unknown field of a custom resource", strings.Replace(widget, "size: 3", "size: 3, sise: 4", 1), lab.ErrInvalid, "sise"},
		{"invalid custom resource", strings.Replace(widget, "size: 3", "size: 0", 1), lab.ErrInvalid, "size"},
		{"unknown kind", `{apiVersion: NS.test.lab/v1, kind: Gadget, metadata: {name: x, namespace: NS}}`, lab.ErrNotFound,
			"does not know the kind Gadget"},
		{"unknown version", `{apiVersion: apps/v1beta1, kind: Deployment, metadata: {name: x, namespace: NS}}`, lab.ErrNotFound,
			"does not know the kind Deployment of apps/v1beta1"},
		{"no namespace", `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}`, lab.ErrInvalid, "no namespace"},
		{"a namespace too many", `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: NS-x, namespace: NS}}`,
			lab.ErrInvalid, "in no namespace"},
		{"namespace that is not there", `{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: NS-other}}`, lab.ErrNotFound,
			"its namespace"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := s.world(t, namespace, widgets, widget)
			w.apply(t)
			w.spec.Prune = false
			w.spec.Objects = w.objects(t, namespace, widgets, configMap, test.manifest)
			written := w.Writes()
			p, err := w.cluster.Plan(t.Context(), w.spec)
			if !errors.Is(err, test.kind) || !strings.Contains(fmt.Sprint(err), test.says) {
				t.Errorf("the error is %v, want %v with %q", err, test.kind, test.says)
			}
			if got := p.Brief(); !strings.Contains(got, "configmap:") || len(p.Changes()) != 1 {
				t.Errorf("the plan for the others:\n%s", got)
			}
			if w.Writes() != written {
				t.Error("planning wrote")
			}
		})
	}
}

// foreignOwner: a field that another manager owns and that differs is refused in words, and left; it is taken over
// only from who is named.
func (s *Suite) foreignOwner(t *testing.T) {
	w := s.world(t, namespace)
	w.apply(t)
	w.as(t, "operator", strings.Replace(configMap, `a: "1"`, `a: "0"`, 1))
	w.spec.Objects = append(w.spec.Objects, w.objects(t, configMap)...)
	p, err := w.cluster.Plan(t.Context(), w.spec)
	if !errors.Is(err, lab.ErrConflict) || !strings.Contains(fmt.Sprint(err), "operator owns data.a") || !p.Empty() {
		t.Errorf("%v\n%v", err, p)
	}
	w.spec.TakeOver = []string{"another"}
	if _, err := w.cluster.Plan(t.Context(), w.spec); !errors.Is(err, lab.ErrConflict) {
		t.Errorf("taken over from who is not named: %v", err)
	}
	w.spec.TakeOver = []string{"another", "operator"}
	p = w.plan(t)
	if c := p.Changes(); len(c) != 1 || c[0].Risk != lab.RiskDisrupt || !strings.Contains(c[0].Cause, "from operator") {
		t.Errorf("the plan is\n%v", p)
	}
	w.apply(t)
	if got := w.read(t, "v1", "configmaps", "settings")["data"]; fmt.Sprint(got) != "map[a:1 b:2]" {
		t.Errorf("it is %v", got)
	}
	if p := w.plan(t); !p.Empty() {
		t.Errorf("there is to do:\n%v", p)
	}
}

// adopted: what another tool has applied, alike, is taken over for good: a field that is then taken out of the
// manifest is removed, and one that the tool alone has set stays.
func (s *Suite) adopted(t *testing.T) {
	w := s.world(t, namespace)
	w.apply(t)
	w.as(t, "kubectl", strings.Replace(configMap, `b: "2"`, `b: "2", theirs: "x"`, 1))
	w.spec.TakeOver = []string{"kubectl", "Helm"}
	w.spec.Objects = w.objects(t, namespace, configMap)
	p := w.plan(t)
	if c := p.Changes(); len(c) != 1 || !strings.Contains(c[0].Cause, "takes fields over from kubectl") {
		t.Errorf("the plan is\n%v", p)
	}
	w.apply(t)
	if p := w.plan(t); !p.Empty() {
		t.Errorf("there is to do:\n%v", p)
	}
	w.spec.Objects = w.objects(t, namespace, strings.Replace(configMap, `, b: "2"`, "", 1))
	w.apply(t)
	if got := fmt.Sprint(w.read(t, "v1", "configmaps", "settings")["data"]); got != "map[a:1 theirs:x]" {
		t.Errorf("it is %s", got)
	}
	// The tool applies it again, alike: it is taken over again.
	w.as(t, "kubectl", strings.Replace(configMap, `, b: "2"`, "", 1))
	if got := brief(w.plan(t)); got != "~configmap:NS/settings" {
		t.Errorf("the plan is %q", got)
	}
	w.apply(t)
	if p := w.plan(t); !p.Empty() {
		t.Errorf("there is to do:\n%v", p)
	}
}

// edited: what somebody edits by hand is found, named and not fought over; what somebody adds is left.
func (s *Suite) edited(t *testing.T) {
	w := s.world(t, namespace, configMap)
	w.apply(t)
	u := w.read(t, "v1", "configmaps", "settings")
	data := u["data"].(map[string]any)
	edit := func() {
		t.Helper()
		code, answer := w.request(t, http.MethodPut, w.path("v1", "configmaps", "settings")+"?fieldManager=kubectl-edit",
			"application/json", u)
		if code != http.StatusOK {
			t.Fatal(answer)
		}
		u = answer
		data = u["data"].(map[string]any)
	}
	data["theirs"] = "x"
	edit()
	if p := w.plan(t); !p.Empty() {
		t.Errorf("what somebody added is to be changed:\n%v", p)
	}
	data["a"] = "9"
	edit()
	if _, err := w.cluster.Plan(t.Context(), w.spec); !strings.Contains(fmt.Sprint(err), "kubectl-edit owns data.a") {
		t.Errorf("the error is %v", err)
	}
	w.spec.TakeOver = []string{"kubectl-edit"}
	w.apply(t)
	if got := fmt.Sprint(w.read(t, "v1", "configmaps", "settings")["data"]); got != "map[a:1 b:2 theirs:x]" {
		t.Errorf("it is %s", got)
	}
}

// immutable: a field that cannot be changed is reported, and nothing is removed and recreated.
func (s *Suite) immutable(t *testing.T) {
	w := s.world(t, namespace, deployment)
	w.apply(t)
	uid := w.read(t, "apps/v1", "deployments", "web")["metadata"].(map[string]any)["uid"]
	w.spec.Objects = w.objects(t, namespace, configMap, strings.ReplaceAll(deployment, "app: web", "app: other"))
	p, err := w.cluster.Plan(t.Context(), w.spec)
	if !errors.Is(err, lab.ErrConflict) || !strings.Contains(fmt.Sprint(err), "cannot be changed") || len(lab.Hints(err)) == 0 {
		t.Errorf("the error is %v", err)
	}
	if c := p.Changes(); len(c) != 1 || c[0].Action != lab.Create {
		t.Errorf("the plan for the others is\n%v", p)
	}
	if r, err := p.Apply(t.Context(), nil); err == nil && !r.Complete() {
		t.Errorf("%v %v", r, err)
	}
	if now := w.read(t, "apps/v1", "deployments", "web")["metadata"].(map[string]any)["uid"]; now != uid {
		t.Error("the deployment was recreated")
	}
}

// prune: what is ours and no longer wanted is removed, of whatever kind; what only looks so is not.
func (s *Suite) prune(t *testing.T) {
	w := s.world(t, namespace, configMap, service, secret)
	w.apply(t)
	// A controller copies labels, and somebody makes a copy with kubectl get | kubectl apply.
	w.as(t, "copier", `{apiVersion: v1, kind: ConfigMap, metadata: {name: copy, namespace: NS, labels: {`+kube.OwnerLabel+`: NS}}}`)
	w.as(t, "somebody", `{apiVersion: v1, kind: ConfigMap, metadata: {name: theirs, namespace: NS}}`)
	w.spec.Objects = w.objects(t, namespace, secret)
	w.spec.Prune = false
	if p := w.plan(t); !p.Empty() {
		t.Errorf("removed unasked:\n%v", p)
	}
	w.spec.Prune = true
	p := w.plan(t)
	if got := brief(p); got != "-service:NS/web -configmap:NS/settings" {
		t.Errorf("the plan is %s\n%v", got, p)
	}
	w.apply(t)
	for name, there := range map[string]bool{"settings": false, "copy": true, "theirs": true} {
		if got := w.read(t, "v1", "configmaps", name) != nil; got != there {
			t.Errorf("configmap %s is there: %v", name, got)
		}
	}
	var many []string
	for n := range 8 {
		many = append(many, strings.Replace(configMap, "settings", fmt.Sprintf("settings-%d", n), 1))
	}
	w.spec.Objects = w.objects(t, append(many, namespace, secret)...)
	w.apply(t)
	w.spec.Objects = w.objects(t, namespace, secret)
	p, err := w.cluster.Plan(t.Context(), w.spec)
	if !errors.Is(err, lab.ErrRefused) || !p.Empty() {
		t.Errorf("8 of 10 are to be removed: %v\n%v", err, p)
	}
	// An object that has lost its namespace does not look as if it were no longer wanted.
	w.spec.Objects = append(w.objects(t, namespace, secret, many[1]), w.objects(t, strings.Replace(many[0], ", namespace: NS", "", 1))...)
	w.spec.MaxDeletes = 10
	if p, err := w.cluster.Plan(t.Context(), w.spec); !errors.Is(err, lab.ErrInvalid) || !p.Empty() {
		t.Errorf("an object without its namespace: %v\n%v", err, p)
	}
	w.spec.Objects = nil
	if _, err := w.cluster.Plan(t.Context(), w.spec); !errors.Is(err, lab.ErrInvalid) {
		t.Errorf("an empty list: %v", err)
	}
}

// brief returns the changes of a plan, in which NS is the owner.
func brief(p *lab.Plan) string {
	var all []string
	for _, c := range p.Changes() {
		owner, rest, _ := strings.Cut(c.ID, "/")
		all = append(all, c.Action.Sign()+strings.ReplaceAll(rest, owner+"/", "NS/"))
	}
	return strings.Join(all, " ")
}

// kept: an object that says so is never removed.
func (s *Suite) kept(t *testing.T) {
	w := s.world(t, namespace, configMap, strings.Replace(configMap, "name: settings",
		`name: precious, annotations: {`+kube.KeepAnnotation+`: "true"}`, 1))
	w.apply(t)
	w.spec.Objects = w.objects(t, namespace)
	p, err := w.cluster.Plan(t.Context(), w.spec)
	if !errors.Is(err, lab.ErrRefused) || !strings.Contains(fmt.Sprint(err), "configmap:"+w.name+"/precious") {
		t.Errorf("the error is %v", err)
	}
	if got := brief(p); got != "-configmap:NS/settings" {
		t.Errorf("the plan is %s", got)
	}
}

// secret: a diff shows which values change, and none of them, neither old nor new.
func (s *Suite) secret(t *testing.T) {
	w := s.world(t, namespace, secret)
	w.apply(t)
	w.spec.Objects = w.objects(t, namespace, strings.Replace(secret, "stringData: {password: correct-horse-battery}",
		"stringData: {password: another-horse, user: admin-of-it}", 1))
	p := w.plan(t)
	text := p.String()
	for _, hidden := range []string{password, "another-horse", "admin-of-it"} {
		if lab.Mask(text, lab.NewSecret(hidden)) != text {
			t.Errorf("the plan shows %s:\n%s", hidden, text)
		}
	}
	for _, shown := range []string{"-  password: (secret)", "+  password: (secret, changed)", "+  user: (secret, changed)"} {
		if !strings.Contains(text, shown) {
			t.Errorf("want %q in\n%s", shown, text)
		}
	}
	w.apply(t)
}

// fieldRemoved: a field that is taken out of the manifest is taken out of the object.
func (s *Suite) fieldRemoved(t *testing.T) {
	w := s.world(t, namespace, configMap, service)
	w.apply(t)
	w.spec.Objects = w.objects(t, namespace, strings.Replace(configMap, `, b: "2"`, "", 1),
		strings.Replace(service, "{name: http, port: 80}, ", "", 1))
	if got := brief(w.plan(t)); got != "~configmap:NS/settings ~service:NS/web" {
		t.Errorf("the plan is %s", got)
	}
	w.apply(t)
	if got := fmt.Sprint(w.read(t, "v1", "configmaps", "settings")["data"]); got != "map[a:1]" {
		t.Errorf("it is %s", got)
	}
	if ports := w.read(t, "v1", "services", "web")["spec"].(map[string]any)["ports"].([]any); len(ports) != 2 {
		t.Errorf("the ports are %v", ports)
	}
	if p := w.plan(t); !p.Empty() {
		t.Errorf("there is to do:\n%v", p)
	}
}

// beingRemoved: an object that waits for a finalizer is left alone until it is gone.
func (s *Suite) beingRemoved(t *testing.T) {
	w := s.world(t, namespace)
	w.apply(t)
	w.as(t, "somebody", `{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: NS, finalizers: [test.lab/wait]}}`)
	w.spec.Objects = append(w.spec.Objects, w.objects(t, configMap)...)
	w.apply(t)
	if code, answer := w.request(t, http.MethodDelete, w.path("v1", "configmaps", "settings"), "application/json",
		map[string]any{}); code != http.StatusOK {
		t.Fatal(answer)
	}
	_, err := w.cluster.Plan(t.Context(), w.spec)
	if !errors.Is(err, lab.ErrBlocked) || !strings.Contains(fmt.Sprint(err), "test.lab/wait") {
		t.Errorf("the error is %v", err)
	}
}

// identity: another cluster than the one that is meant is not written to.
func (s *Suite) identity(t *testing.T) {
	w := s.world(t, namespace)
	w.cluster.Identity = "11111111-2222-3333-4444-555555555555"
	if _, err := w.cluster.Plan(t.Context(), w.spec); !errors.Is(err, lab.ErrRefused) || w.Writes() > 0 {
		t.Errorf("%d writes, %v", w.Writes(), err)
	}
	code, ns := w.request(t, http.MethodGet, "/api/v1/namespaces/kube-system", "", nil)
	if code != http.StatusOK {
		t.Fatal(ns)
	}
	w.cluster.Identity = ns["metadata"].(map[string]any)["uid"].(string)
	w.apply(t)
}

// twoOwners: what two owners want is a conflict, not a tug-of-war.
func (s *Suite) twoOwners(t *testing.T) {
	w := s.world(t, namespace, configMap)
	w.apply(t)
	other := w.spec
	other.Owner, other.Objects = w.name+"-other", w.objects(t, strings.Replace(configMap, `a: "1"`, `a: "7"`, 1))
	p, err := w.cluster.Plan(t.Context(), other)
	if !errors.Is(err, lab.ErrConflict) || !strings.Contains(fmt.Sprint(err), "lab-"+w.name+" owns") || !p.Empty() {
		t.Errorf("%v\n%v", err, p)
	}
}

// ownsMoreFields: a manifest that sets a field to what it is anyway owns the field after an apply.
func (s *Suite) ownsMoreFields(t *testing.T) {
	w := s.world(t, namespace, configMap)
	w.apply(t)
	w.as(t, "somebody", `{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: NS}, data: {c: "3"}}`)
	w.spec.Objects = w.objects(t, namespace, strings.Replace(configMap, `b: "2"`, `b: "2", c: "3"`, 1))
	if got := brief(w.plan(t)); got != "~configmap:NS/settings" {
		t.Errorf("the plan is %q", got)
	}
	w.apply(t)
	if p := w.plan(t); !p.Empty() {
		t.Errorf("there is to do:\n%v", p)
	}
}

// health: what controllers say in the status of objects, and an apply that waits for it.
func (s *Suite) health(t *testing.T) {
	w := s.world(t, namespace, deployment, configMap)
	state := func() (state kube.State, message string) {
		t.Helper()
		all, err := w.cluster.Health(t.Context(), w.spec)
		if err != nil || len(all) != 3 {
			t.Fatal(all, err)
		}
		for _, h := range all {
			if strings.HasPrefix(h.Object, "deployment.") {
				return h.State, h.Message
			}
		}
		return
	}
	if got, _ := state(); got != kube.Missing {
		t.Errorf("before the apply it is %s", got)
	}
	w.apply(t)
	if got, message := state(); got != kube.Progressing || message == "" {
		t.Errorf("after the apply it is %s: %s", got, message)
	}
	set := func(status map[string]any) {
		t.Helper()
		u := w.read(t, "apps/v1", "deployments", "web")
		status["observedGeneration"] = u["metadata"].(map[string]any)["generation"]
		u["status"] = status
		code, answer := w.request(t, http.MethodPut, w.path("apps/v1", "deployments", "web")+"/status", "application/json", u)
		if code != http.StatusOK {
			t.Fatal(answer)
		}
	}
	set(map[string]any{"conditions": []any{map[string]any{"type": "Progressing", "status": "False",
		"reason": "ProgressDeadlineExceeded", "message": "the image cannot be pulled"}}})
	if got, message := state(); got != kube.Failed {
		t.Errorf("it is %s: %s", got, message)
	}
	// What comes after it is not applied.
	w.spec.Objects = append(w.spec.Objects, w.objects(t, service)[0].After(w.spec.Objects[1]))
	r, err := w.plan(t).Apply(t.Context(), nil)
	if !errors.Is(err, lab.ErrBlocked) || r.Complete() || w.read(t, "v1", "services", "web") != nil {
		t.Errorf("%v %v", err, r)
	}
	set(map[string]any{"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "conditions": []any{
		map[string]any{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
		map[string]any{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}}})
	w.spec.Wait = true
	w.apply(t)
	if p := w.plan(t); !p.Empty() {
		t.Errorf("a status is to be changed:\n%v", p)
	}
}

// probed: an object that does not work is put back as it was, one that was not there is removed, and an apply that was
// cut off before the probe is continued.
func (s *Suite) probed(t *testing.T) {
	w := s.world(t, namespace)
	w.apply(t)
	works, tried := false, 0
	want := func(manifest string) {
		o := w.objects(t, manifest)[0].Probe(func(context.Context) error {
			if tried++; works {
				return nil
			}
			return fmt.Errorf("%w: nothing is resolved any more", lab.ErrRefused)
		})
		w.spec.Objects = append(w.objects(t, namespace), o)
	}
	fails := func() {
		t.Helper()
		r, err := w.plan(t).Apply(t.Context(), nil)
		if !errors.Is(err, lab.ErrRefused) || !strings.Contains(fmt.Sprint(err), "nothing is resolved any more") || r.Complete() {
			t.Errorf("%v %v", err, r)
		}
	}
	want(configMap)
	fails()
	if got := w.read(t, "v1", "configmaps", "settings"); got != nil {
		t.Errorf("it was not removed: %v", got)
	}
	works = true
	w.apply(t)
	before := w.read(t, "v1", "configmaps", "settings")
	if p := w.plan(t); !p.Empty() || tried == 0 {
		t.Errorf("tried %d times, there is to do:\n%v", tried, p)
	}
	works = false
	want(strings.Replace(configMap, `a: "1", b: "2"`, `a: "9", c: "3"`, 1))
	fails()
	after := w.read(t, "v1", "configmaps", "settings")
	if !reflect.DeepEqual(before["data"], after["data"]) {
		t.Errorf("it was %v and is %v", before["data"], after["data"])
	}
	if _, marked := after["metadata"].(map[string]any)["annotations"]; marked {
		t.Errorf("it is still marked: %v", after["metadata"])
	}
	// It is cut off when the answer to the first write is lost: the mark is there, and the next apply tries it.
	works, tried = true, 0
	w.Faults.At(1, fake.HTTPFault{Done: true})
	if r, err := w.plan(t).Apply(t.Context(), nil); err == nil || r.Complete() {
		t.Errorf("%v %v", err, r)
	}
	w.Faults.Reset()
	if p := w.plan(t); p.Empty() || tried > 0 {
		t.Errorf("tried %d times, the plan is\n%v", tried, p)
	}
	w.apply(t)
	if p := w.plan(t); !p.Empty() || tried == 0 {
		t.Errorf("tried %d times, there is to do:\n%v", tried, p)
	}
}
