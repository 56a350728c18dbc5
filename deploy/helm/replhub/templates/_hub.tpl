{{- /* The secrets that the hub reads, as a YAML list of name, secret and path. */}}
{{- define "replhub.hubSecrets" -}}
{{- with .Values.nats.credsSecret.name }}
- {name: nats, secret: {{ . | quote }}}
{{- end }}
{{- with .Values.nats.tls.secretName }}
- {name: nats-tls, secret: {{ . | quote }}}
{{- end }}
{{- with .Values.zookeeper.authSecret.name }}
- {name: zookeeper, secret: {{ . | quote }}}
{{- end }}
{{- with .Values.http.tokenSecret.name }}
- {name: http, secret: {{ . | quote }}}
{{- end }}
{{- with .Values.http.tlsSecretName }}
- {name: http-tls, secret: {{ . | quote }}}
{{- end }}
{{- end }}

{{- define "replhub.hubMounts" -}}
{{- with include "replhub.hubSecrets" . | fromYamlArray }}
volumeMounts:
  {{- range . }}
  - {name: {{ .name }}, mountPath: /etc/replhub/{{ .name }}, readOnly: true}
  {{- end }}
{{- end }}
{{- end }}

{{- define "replhub.hubVolumes" -}}
{{- with include "replhub.hubSecrets" . | fromYamlArray }}
volumes:
  {{- range . }}
  - name: {{ .name }}
    secret: {secretName: {{ .secret | quote }}, defaultMode: 0440}
  {{- end }}
{{- end }}
{{- end }}
