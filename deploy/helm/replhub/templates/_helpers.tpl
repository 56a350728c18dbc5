{{- define "replhub.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "replhub.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "replhub.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "replhub.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "replhub.selector" -}}
app.kubernetes.io/name: {{ include "replhub.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "replhub.labels" -}}
{{ include "replhub.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}

{{- define "replhub.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "replhub.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "replhub.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- /* The hub's HTTP can be reached from other pods. */}}
{{- define "replhub.open" -}}
{{- if and .Values.http.tokenSecret.name .Values.http.tlsSecretName }}yes{{ end }}
{{- end }}

{{- /* Of each pod: not root, and no rights in the cluster. */}}
{{- define "replhub.pod" -}}
serviceAccountName: {{ include "replhub.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "replhub.container" -}}
image: {{ include "replhub.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- /* A bridge asks /healthz for both: a standby, or one whose database is away, is not
ready, and must not hold up a rollout. */}}
{{- define "replhub.bridgeProbes" -}}
livenessProbe:
  exec: {command: [/usr/bin/replhub, probe, healthz, --timeout, 4s]}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 4
readinessProbe:
  exec: {command: [/usr/bin/replhub, probe, healthz, --timeout, 4s]}
  periodSeconds: 10
  timeoutSeconds: 5
{{- end }}

{{- /* A bridge: a dict of root, kind, bridge, args, env, port, and volumes' secret and path. */}}
{{- define "replhub.bridge" -}}
{{- $name := printf "%s-%s-%s" (include "replhub.fullname" .root) .kind .bridge.name | trunc 63 | trimSuffix "-" }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $name }}
  labels:
    {{- include "replhub.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .kind }}
data:
  config.yaml: |
    {{- toYaml .bridge.config | nindent 4 }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels:
    {{- include "replhub.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .kind }}
    replhub.io/service: {{ .bridge.name }}
spec:
  replicas: {{ .bridge.replicas | default 1 }}
  selector:
    matchLabels:
      {{- include "replhub.selector" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .kind }}
      replhub.io/service: {{ .bridge.name }}
  template:
    metadata:
      labels:
        {{- include "replhub.labels" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .kind }}
        replhub.io/service: {{ .bridge.name }}
      annotations:
        checksum/config: {{ toYaml .bridge.config | sha256sum }}
    spec:
      {{- include "replhub.pod" .root | nindent 6 }}
      terminationGracePeriodSeconds: 30
      containers:
        - name: {{ .kind }}
          {{- include "replhub.container" .root | nindent 10 }}
          args:
            {{- toYaml .args | nindent 12 }}
          env:
            - {name: NATS_URL, value: {{ .root.Values.nats.url | quote }}}
            - {name: REPLHUB_HTTP_ADDR, value: {{ printf "127.0.0.1:%v" .port | quote }}}
            - {name: REPLHUB_{{ upper .kind }}_CONFIG, value: /etc/replhub/config.yaml}
            {{- with .bridge.natsCredsSecret }}
            - {name: NATS_CREDS, value: {{ printf "/etc/replhub/nats/%s" .key | quote }}}
            {{- end }}
            {{- if .root.Values.nats.tls.secretName }}
            - {name: NATS_CA, value: /etc/replhub/nats-tls/ca.crt}
            {{- if .root.Values.nats.tls.clientCert }}
            - {name: NATS_CERT, value: /etc/replhub/nats-tls/tls.crt}
            - {name: NATS_KEY, value: /etc/replhub/nats-tls/tls.key}
            {{- end }}
            {{- end }}
            {{- toYaml .env | nindent 12 }}
          {{- include "replhub.bridgeProbes" .root | nindent 10 }}
          resources:
            {{- toYaml .root.Values.bridgeResources | nindent 12 }}
          volumeMounts:
            - {name: config, mountPath: /etc/replhub/config.yaml, subPath: config.yaml, readOnly: true}
            {{- if .files }}
            - {name: secret, mountPath: /etc/replhub/secret, readOnly: true}
            {{- end }}
            {{- if .bridge.natsCredsSecret }}
            - {name: nats, mountPath: /etc/replhub/nats, readOnly: true}
            {{- end }}
            {{- if .root.Values.nats.tls.secretName }}
            - {name: nats-tls, mountPath: /etc/replhub/nats-tls, readOnly: true}
            {{- end }}
      volumes:
        - name: config
          configMap: {name: {{ $name }}}
        {{- with .files }}
        - name: secret
          secret: {secretName: {{ .name }}, defaultMode: 0440}
        {{- end }}
        {{- with .bridge.natsCredsSecret }}
        - name: nats
          secret: {secretName: {{ .name }}, defaultMode: 0440}
        {{- end }}
        {{- if .root.Values.nats.tls.secretName }}
        - name: nats-tls
          secret: {secretName: {{ .root.Values.nats.tls.secretName }}, defaultMode: 0440}
        {{- end }}
{{- end }}
