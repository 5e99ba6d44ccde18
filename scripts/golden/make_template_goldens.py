"""Writes test/golden/models/templates.json: what transformers' Jinja makes of templates, and Python's strftime of dates.

python3 -m venv /tmp/venv && /tmp/venv/bin/pip install transformers jinja2
/tmp/venv/bin/python scripts/golden/make_template_goldens.py
"""

import json
import sys
from datetime import datetime
from pathlib import Path

import jinja2
import transformers
from transformers.utils import chat_template_utils

OUT = Path(__file__).resolve().parents[2] / "test/golden/models/templates.json"
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What's in line 12?\n"},
    {"role": "assistant", "content": '"7"'},
    {"role": "user", "content": "And 13?"},
]
VARIABLES = {"bos_token": "<s>", "enable_thinking": False, "nothing": None, "half": 0.5, "tiny": 1e-5}
DATE = datetime(2026, 3, 5, 14, 7, 9)

LOOP = "{% for m in messages %}"
TEMPLATES = [
    # loops that are left after they have printed something
    LOOP + "[{{ m.role }}{% if m.role == 'user' %}{% break %}{% endif %};]{% endfor %}end",
    LOOP + "[{{ m.role }}{% if m.role == 'user' %}!{% continue %}{% endif %};]{% endfor %}end",
    LOOP + "{% for c in m.role %}{% if loop.index > 2 %}{% break %}{% endif %}{{ c }}{% endfor %}|{% endfor %}",
    LOOP + "{{ m.role }}{% if loop.first %}a{% elif m.role == 'user' %}b{% continue %}{% else %}c{% break %}{% endif %}-{% endfor %}",
    "{% for i in range(3) %}{% for j in range(9) %}{{ j }}{% if j > i %}{% break %}{% endif %}{% endfor %};{% else %}none{% endfor %}",
    "{% for i in range(5) %}{% if i == 0 %}{% continue %}{% endif %}{{ i }}{% if i == 3 %}{% break %}{% endif %}{% else %}none{% endfor %}",
    # raw blocks
    "a {% raw %}{{ x }} {% if %}{# no #}{% endraw %} b",
    "a\n  {% raw %}\n  {{ x }}\n  {% endraw %}\nb",
    "a \n{%- raw -%}\n {{ x }} \n{%- endraw -%}\n b",
    "{% raw %}\\n \"q\" 'q' é{% endraw %}{{ bos_token }}",
    # string literals
    "{{ 'a\\\nb' }}|{{ 'tab\\there' }}|{{ '\\x41\\u00e9\\101\\q' }}|{{ \"it's\" }}|{{ 'é\\\\' }}",
    "{{ 'a %} b' }}{{ '{{ c }}' }}{% set s = '{% d %}' %}{{ s }}",
    "{{ '\\U0001F642' }}{{ 'a' 'b' }}",
    # values as Python prints them
    "{{ true }} {{ False }} {{ none }} {{ nothing }} {{ undefined_name }}|{{ enable_thinking }}",
    "{{ [1, 'a', true, none, 2.5] }} {{ (1, 2) }} {{ {'a': 1, 'b': [none]} }}",
    "{{ [\"it's\", 'a\"b', 'new\\nline', '\\x01', 'é', '\\u200b', 'both\\'\"'] }}",
    "{{ half }} {{ tiny }} {{ 10000000000000000.0 }} {{ 123456.75 }} {{ 0.0001 }} {{ 3.0 }} {{ 7 / 2 }} "
    "{{ 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 % 3 }}",
    "{{ true ~ 'x' ~ none ~ 1.0 ~ [1] }}|{{ true|string }}|{{ [true, none, 1.5]|join(',') }}|{{ [1, 2]|join }}|{{ none|string ~ 1 }}",
    "{% set x %}{{ true }}{% endset %}{{ x }}{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(none) }}{{ m(true) }}",
    "{{ messages[0] }}{{ messages|length }}{{ messages[-1]['content'] }}{{ messages[1:3]|length }}",
    "{{ messages[0]|tojson }}{{ none|tojson }}{{ [true, none]|tojson }}",
    "{{ none is none }} {{ x is defined }} {{ bos_token is string }} {{ 1 == 1.0 }} {{ not x }}",
    "{{ 'xxaxx'.strip('x') }}|{{ ' \\n a \\n'.lstrip('\\n ') }}|{{ '--a-b--'.rstrip('-') }}|{{ 'xx'.strip('x') }}|{{ ' a '.strip() }}|",
    # whitespace
    "a\n  {%+ if true %}x{% endif %}\nb",
    "a\n  {% if true +%}\nx\n  {% endif %}\nb\n",
    "{%- if true -%}\n  x\n{%- endif %}\r\ny\r\n",
    "a\n   {# comment #}\n b {#- c -#}\n d",
    # dates
    "{{ strftime_now('%d %b %Y') }}|{{ strftime_now('%A, %B %d, %Y %H:%M:%S %p %j') }}",
    "{% if strftime_now is defined %}{{ strftime_now('%Y-%m-%d') }}{% endif %}",
    # forms that published templates use
    "{{- bos_token }}{%- if not date_string is defined %}{%- if strftime_now is defined %}{%- set date_string = strftime_now('%d %b %Y') %}"
    "{%- else %}{%- set date_string = '26 Jul 2024' %}{%- endif %}{%- endif %}\n{%- if messages[0]['role'] == 'system' %}"
    "{%- set system_message = messages[0]['content']|trim %}\n    {%- set messages = messages[1:] %}{%- else %}{%- set system_message = '' %}"
    "{%- endif %}{{- 'Today Date: ' + date_string + '\\n\\n' }}{{- system_message }}\n{%- for message in messages %}"
    "{%- if not (message.role == 'ipython' or 'tool_calls' in message) %}{{- '<' + message['role'] + '>\\n\\n' + message['content'] | trim + '|' }}"
    "{%- endif %}{%- endfor %}{%- if add_generation_prompt %}{{- '<assistant>' }}{%- endif %}",
    "{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}{%- for message in messages[::-1] %}"
    "{%- set index = (messages|length - 1) - loop.index0 %}{%- if ns.multi_step_tool and message.role == 'user' and message.content is string "
    "and not(message.content.startswith('<t>') and message.content.endswith('</t>')) %}{%- set ns.multi_step_tool = false %}"
    "{%- set ns.last_query_index = index %}{%- endif %}{%- endfor %}{{ ns.last_query_index }}"
    "{%- for message in messages %}{%- set content = message.content.split('line')[-1].lstrip('\\n') %}{{ loop.index0 }}{{ content }}"
    "{%- if loop.last or (not loop.last and message.reasoning_content) %}!{%- endif %}{%- endfor %}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}",
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% endif %}{% for message in loop_messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "{{ '[INST] ' ~ message.content ~ ' [/INST]' if message.role == 'user' else message.content + '</s>' }}{% endfor %}",
    "{% for m in messages | selectattr('role', 'equalto', 'user') %}{{ m.content | upper }}{{ m.content.strip() | length }}{% endfor %}"
    "{% for k, v in messages[0].items() %}{{ k }}={{ v }};{% endfor %}{{ messages | map(attribute='role') | join(',') }}",
    # what must fail
    "{{ missing.member }}",
    "{{ 'a' + 1 }}",
    "{{ 1 % 0 }}",
    "{{ range(3000000000)|length }}",
    "{{ raise_exception('no system') }}",
    "{{ strftime_now() }}",
    "{% raw %}open",
    "{{ 'open",
    "{% for %}",
]
FORMATS = "a A w u d e b h B m y Y C G V U W j H k I l p M S f z Z D F R T c x X n t % -d -m -H -j ^a ^B _d".split()
DATES = [DATE, datetime(2024, 12, 30), datetime(2021, 1, 3, 0, 59, 1), datetime(2000, 2, 29, 12), datetime(2027, 1, 1, 23, 59, 59),
         datetime(1999, 11, 9, 9, 8, 7)]


class Clock(datetime):
    @classmethod
    def now(cls, tz=None):
        return DATE


def render(template: str) -> str | None:
    try:
        compiled = chat_template_utils._compile_jinja_template(template)
        return compiled.render(messages=MESSAGES, add_generation_prompt=True, **VARIABLES)
    except Exception:
        return None


def main() -> None:
    chat_template_utils.datetime = Clock
    golden = {
        "command": "python scripts/golden/make_template_goldens.py",
        "versions": {"transformers": transformers.__version__, "jinja2": jinja2.__version__, "python": sys.version.split()[0]},
        "messages": MESSAGES,
        "variables": VARIABLES,
        "date": DATE.isoformat(),
        # null stands for an error
        "templates": [{"template": t, "rendered": render(t)} for t in TEMPLATES],
        "dates": [{"date": d.isoformat(), "fields": {f: d.strftime(f"%{f}") for f in FORMATS}} for d in DATES],
    }
    OUT.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")


main()
