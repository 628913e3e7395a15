// The sample browser. Everything a model wrote enters the page as text nodes, never as markup:
// there is no other way in this file to fill an element than `append` and `textContent`.
(() => {
  "use strict";
  const MATHML = "http://www.w3.org/1998/Math/MathML";
  const ROW_HEIGHT = 52;  // as in report.css
  const SPARE_ROWS = 8;
  const FIRST_CHARACTERS = 20000;
  const MOST_MARKS = 2000;
  const MOST_FORMULAS = 1500;
  const EVERY = -1;
  const NONE = -2;
  const VERDICTS = {
    correct: ["\u2713", "correct"],
    wrong: ["\u2717", "wrong"],
    no_answer: ["\u2013", "no answer"],
    undecided: ["?", "undecided"],
    ungraded: ["\u00b7", "not graded"],
  };

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };

  const start = () => {
    const data = JSON.parse(document.getElementById("samples-data").textContent);
    const marks = new RegExp(data.marks, "gu");
    const pattern = new RegExp(data.pattern, "gu");
    const trees = new Map(Object.entries(data.formulas));
    const problems = data.problems.map(([id, benchmark, statement, answer, group, tags]) => (
      { id, benchmark, statement, answer, group, tags }));
    const columns = data.columns.map(([title, label, benchmark, run]) => ({ title, label, benchmark, run }));
    const samples = data.samples.map(
      ([problem, column, index, text, leftOut, verdict, extracted, boxed, cut, tokens, second, why], at) => ({
        problem: problems[problem], place: problem, column, index, text, leftOut, extracted, tokens,
        verdict: verdict === null ? "ungraded" : data.verdicts[verdict], boxed: boxed === 1, cut: cut === 1,
        second: second === null ? null : data.verdicts[second], why: why === null ? null : data.reasons[why],
        thinking: at in data.thinking ? data.thinking[at][0] : 0,
        thought: at in data.thinking ? data.thinking[at][1] : null,
      }));
    data.samples = null;

    // ---- text -----------------------------------------------------------------------------
    const code = (character) => "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    const named = (text) => text.replace(marks, (character) => `[${code(character)}]`);

    const writePlain = (parent, text) => {
      let end = 0;
      let count = 0;
      for (const found of text.matchAll(marks)) {
        parent.append(text.slice(end, found.index));
        end = found.index + found[0].length;
        parent.append(make("span", { class: "mark", title: "a character that is not seen" }, code(found[0])));
        count += 1;
        if (count === MOST_MARKS) break;
      }
      parent.append(count === MOST_MARKS ? text.slice(end).replace(marks, "\ufffd") : text.slice(end));
    };

    const build = ([tag, ...parts]) => {
      const element = document.createElementNS(MATHML, tag);
      for (const part of parts) {
        if (typeof part === "string") element.append(part);
        else if (Array.isArray(part)) element.append(build(part));
        else for (const [name, value] of Object.entries(part)) element.setAttribute(name, value);
      }
      return element;
    };

    const formula = (raw, tree) => {
      const isDisplay = tree[1].display === "block";
      const holder = make("span", {
        class: isDisplay ? "formula is-display" : "formula", role: "button", tabindex: "0",
        "aria-pressed": "false", "aria-label": `formula ${named(raw)}`, title: `${named(raw)} \u2014 click for the text as written`,
      }, build(tree));
      const toggle = () => {
        const isRaw = holder.classList.toggle("is-raw");
        holder.setAttribute("aria-pressed", String(isRaw));
        holder.replaceChildren();
        if (isRaw) writePlain(holder, raw);
        else holder.append(build(tree));
      };
      holder.addEventListener("click", toggle);
      holder.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        event.stopPropagation();
        toggle();
      });
      return holder;
    };

    const write = (parent, whole) => {
      const text = whole.replaceAll("\r\n", "\n");
      let end = 0;
      let count = 0;
      if (!state.raw) {
        for (const found of text.matchAll(pattern)) {
          const tree = trees.get(found[0]);
          if (tree === undefined) continue;
          const isDisplay = tree[1].display === "block";
          const before = text.slice(end, found.index);
          writePlain(parent, isDisplay ? before.replace(/\n$/u, "") : before);
          parent.append(formula(found[0], tree));
          end = found.index + found[0].length;
          if (isDisplay) end += /^ ?\n?/u.exec(text.slice(end, end + 2))[0].length;  // it has a line of its own
          count += 1;
          if (count === MOST_FORMULAS) break;
        }
      }
      writePlain(parent, text.slice(end));
    };

    const writeAnswer = (parent, answer) => {
      const raw = `\\(${answer}\\)`;
      const tree = state.raw ? undefined : trees.get(raw);
      if (tree) parent.append(formula(raw, tree));
      else writePlain(parent, answer);
    };

    const writeLong = (parent, text) => {
      let at = 0;
      const more = make("button", { type: "button" });
      const next = () => {
        more.remove();
        const part = make("span");
        write(part, text.slice(at, at + FIRST_CHARACTERS));
        at += FIRST_CHARACTERS;
        parent.append(part);
        if (at >= text.length) return;
        more.textContent = `Show more (${(text.length - at).toLocaleString("en")} characters)`;
        parent.append(" ", more);
      };
      more.addEventListener("click", next);
      next();
    };

    // ---- state ----------------------------------------------------------------------------
    const benchmarks = [...new Set(columns.map((column) => column.benchmark))];
    const state = {
      benchmark: benchmarks[0], left: 0, right: NONE, group: "", query: "", raw: false,
      filters: new Set(), keys: true,
    };
    let rows = [];
    let shown = [];
    let chosen = null;

    const byColumn = columns.map(() => []);
    for (const sample of samples) byColumn[sample.column].push(sample);
    const inOrder = (a, b) => a.place - b.place || a.index - b.index || a.column - b.column;
    const ofBenchmark = () => columns.map((_, index) => index)
      .filter((index) => columns[index].benchmark === state.benchmark);

    const takeRows = () => {
      if (state.left === EVERY) {
        rows = ofBenchmark().flatMap((index) => byColumn[index]).sort(inOrder).map((sample) => [sample]);
      } else if (state.right === NONE) {
        rows = [...byColumn[state.left]].sort(inOrder).map((sample) => [sample]);
      } else {
        const pairs = new Map();
        for (const [side, index] of [state.left, state.right].entries()) {
          for (const sample of byColumn[index]) {
            const key = `${sample.place}:${sample.index}`;
            if (!pairs.has(key)) pairs.set(key, [null, null]);
            pairs.get(key)[side] = sample;
          }
        }
        rows = [...pairs.values()].sort((a, b) => inOrder(a[0] ?? a[1], b[0] ?? b[1]));
      }
    };
    const some = (test) => (row) => row.some((sample) => sample !== null && test(sample));
    const any = (row) => row[0] ?? row[1];
    const isPaired = () => state.right !== NONE;

    const isGraded = (sample) => sample.verdict !== "ungraded";
    const isSplit = (sample) => sample.second !== null && isGraded(sample) && sample.second !== sample.verdict;

    const filters = [
      { name: "wrong", test: some((sample) => sample.verdict === "wrong") },
      { name: "truncated", test: some((sample) => sample.cut) },
      { name: "no box", test: some((sample) => isGraded(sample) && !sample.boxed) },
      { name: "undecided", test: some((sample) => sample.verdict === "undecided") },
      { name: "ungraded", test: some((sample) => !isGraded(sample)) },
      { name: "graders disagree", test: some((sample) => isSplit(sample)) },
      { name: "thinking not finished", test: some((sample) => sample.thinking === null) },
      {
        name: "flipped",
        test: (row) => row.length === 2 && row.every((sample) => sample !== null && isGraded(sample))
          && (row[0].verdict === "correct") !== (row[1].verdict === "correct"),
      },
    ];
    const hasSecond = samples.some((sample) => sample.second !== null);
    const hasUnfinished = samples.some((sample) => sample.thinking === null);
    const hasUngraded = !samples.every(isGraded);
    const isOffered = (filter) => (filter.name !== "graders disagree" || hasSecond)
      && (filter.name !== "ungraded" || hasUngraded)
      && (filter.name !== "thinking not finished" || hasUnfinished)
      && (filter.name !== "flipped" || isPaired());
    const offered = () => filters.filter(isOffered);

    const lower = (thing, ...texts) => {
      thing.lower ??= texts.filter((text) => text !== null).join("\n").toLowerCase();
      return thing.lower;
    };
    const holds = (query) => (row) => {
      const { problem } = any(row);
      if (lower(problem, problem.id, problem.statement).includes(query)) return true;
      return row.some((sample) => sample !== null && lower(sample, sample.text, sample.extracted).includes(query));
    };

    // ---- what is on the page --------------------------------------------------------------
    const browser = document.getElementById("browser");
    const labelled = (words, control, kind) => make("label", { class: kind }, make("span", {}, words), control);
    const benchmarkChoice = make("select");
    const leftChoice = make("select");
    const rightChoice = make("select");
    const groupChoice = make("select");
    const search = make("input", {
      type: "search", placeholder: "problem, text, id, answer", autocomplete: "off", spellcheck: "false",
    });
    const help = make("button", { type: "button", "aria-expanded": "false" }, "Keys");
    const rawToggle = make("button", { type: "button", "aria-pressed": "false" }, "Raw text");
    const tools = make("div", { class: "tools" },
      labelled("Search", search, "search"),
      labelled("Benchmark", benchmarkChoice, "benchmark"), labelled("Run", leftChoice, "left"),
      labelled("Beside it", rightChoice, "right"), labelled("Group", groupChoice, "group"), rawToggle, help);
    const chips = make("div", { class: "filters", role: "group", "aria-label": "Filters" });
    const counter = make("p", { class: "counter", role: "status" });
    const room = make("div", { class: "room", role: "presentation" });
    const list = make("div", { class: "list", role: "listbox", tabindex: "0", "aria-label": "Samples" }, room);
    const detail = make("div", { class: "detail", role: "region", tabindex: "0", "aria-label": "The chosen sample" });
    const keys = make("div", { class: "keys", id: "keys" });
    keys.hidden = true;
    help.setAttribute("aria-controls", "keys");
    browser.append(tools, keys, chips, counter, make("div", { class: "reader" }, list, detail));

    const KEYS = [
      ["/", "search"], ["j k or arrows", "next, previous"], ["Enter", "to the text of the sample"],
      [`1 to ${filters.length}`, "switch a filter"], ["f", "one filter after the other"], ["r", "formulas or raw text"],
      ["Esc", "back to the list, and out of it"], ["?", "these keys"],
    ];
    const keySwitch = make("input", { type: "checkbox", checked: "" });
    keySwitch.addEventListener("change", () => { state.keys = keySwitch.checked; });
    keys.append(
      make("dl", {}, ...KEYS.flatMap(([key, words]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, words)])),
      make("label", {}, keySwitch, " single keys work"));

    const options = (choice, pairs, value) => {
      choice.replaceChildren(...pairs.map(([key, words]) => make("option", { value: key }, named(words))));
      choice.value = String(value);
      choice.parentElement.hidden = pairs.length < 2;
    };
    const drawChoices = () => {
      const here = ofBenchmark();
      options(benchmarkChoice, benchmarks.map((name) => [name, name]), state.benchmark);
      options(leftChoice, [
        ...here.map((index) => [index, columns[index].title]),
        ...(here.length > 1 ? [[EVERY, "every run"]] : []),
      ], state.left);
      options(rightChoice, [
        [NONE, "nothing"],
        ...(state.left === EVERY ? [] : here.filter((index) => index !== state.left))
          .map((index) => [index, columns[index].title]),
      ], state.right);
      const groups = [...new Set(problems.filter((row) => row.benchmark === state.benchmark && row.group !== null)
        .map((row) => row.group))].sort();
      if (!groups.includes(state.group)) state.group = "";
      options(groupChoice, [["", "every group"], ...groups.map((name) => [name, name])], state.group);
    };

    const drawChips = (counted) => {
      chips.replaceChildren(...offered().map((filter) => {
        const chip = make("button", { type: "button", "aria-pressed": String(state.filters.has(filter)) }, `${filter.name} `,
          make("span", { class: "count" }, counted.filter(filter.test).length.toLocaleString("en")));
        chip.addEventListener("click", () => toggleFilter(filter));
        return chip;
      }));
    };

    const verdict = (sample, isShort) => {
      if (sample === null) return make("span", { class: "verdict" }, isShort ? "\u00b7" : "not drawn");
      const [sign, words] = VERDICTS[sample.verdict];
      return make("span", { class: `verdict ${sample.verdict}` }, isShort ? sign : `${sign} ${words}`);
    };
    const said = (row) => row.map((sample) => (sample === null ? "not drawn" : VERDICTS[sample.verdict][1])).join(", then ");

    const shortId = ({ id, benchmark }) => (id.startsWith(`${benchmark}/`) ? id.slice(benchmark.length + 1) : id);
    const drawRow = (row, at) => {
      const sample = any(row);
      const isChosen = row === chosen;
      const element = make("div", {
        class: "row", role: "option", id: `row-${at}`, "aria-selected": String(isChosen), "aria-posinset": at + 1,
        "aria-setsize": shown.length,
        "aria-label": named(`${sample.problem.id} sample ${sample.index}, ${said(row)}`),
      },
      make("div", { class: "line" },
        make("span", { class: "name" }, named(shortId(sample.problem))),
        make("span", { class: "index" }, `\u00b7 ${sample.index}`),
        ...row.map((side) => verdict(side, row.length === 2))),
      make("div", { class: "start", dir: "auto" }, named(
        (state.left === EVERY ? `${columns[sample.column].title}: ` : "") + sample.problem.statement.slice(0, 120))));
      element.style.transform = `translateY(${at * ROW_HEIGHT}px)`;
      element.addEventListener("click", () => choose(at));
      return element;
    };
    const drawRows = () => {
      const first = Math.max(0, Math.floor(list.scrollTop / ROW_HEIGHT) - SPARE_ROWS);
      const last = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW_HEIGHT) + SPARE_ROWS);
      const drawn = [];
      for (let at = first; at < last; at += 1) drawn.push(drawRow(shown[at], at));
      room.replaceChildren(...drawn);
      const place = chosen === null ? -1 : shown.indexOf(chosen);
      if (place >= first && place < last) list.setAttribute("aria-activedescendant", `row-${place}`);
      else list.removeAttribute("aria-activedescendant");
    };

    const drawThinking = (sample, thinking, isUnfinished) => {
      const length = sample.thought === null
        ? `${thinking.length.toLocaleString("en")} characters` : `${sample.thought.toLocaleString("en")} tokens`;
      const part = make("details", { class: "thinking" },
        make("summary", {}, `Thinking${isUnfinished ? ", not finished" : ""}: ${length}`));
      part.addEventListener("toggle", () => writeLong(part, thinking), { once: true });
      part.open = isUnfinished;
      return part;
    };
    const drawSide = (sample, column) => {
      const title = make("h4", {}, named(columns[column].title));
      if (sample === null) return make("div", { class: "side" }, title, make("p", { class: "empty" }, "Not drawn for this problem."));
      const answer = make("b", {});
      if (sample.extracted === null) answer.append("none");
      else writeAnswer(answer, sample.extracted);
      const facts = make("p", { class: "facts" },
        verdict(sample, false),
        ...(isGraded(sample)
          ? [make("span", {}, "answer ", answer), make("span", {}, sample.boxed ? "in a box" : "no box")] : []),
        make("span", {}, `${sample.tokens.toLocaleString("en")} tokens`),
        make("span", {}, sample.cut ? "cut off at the limit" : "ended by itself"));
      if (sample.second !== null) {
        const [sign, words] = VERDICTS[sample.second];
        const differs = isSplit(sample);
        facts.append(make("span", {}, `${data.graders[1] ?? "second grader"}: ${sign} ${words}${differs ? ", disagrees" : ""}`));
      }
      const text = make("div", { class: `completion text${state.raw ? " raw" : ""}`, dir: "auto", tabindex: "0",
        role: "region", "aria-label": named(`Completion, ${columns[column].title}`) });
      const isUnfinished = sample.thinking === null;
      const start = sample.thinking ?? sample.text.length;
      if (start > 0) text.append(drawThinking(sample, sample.text.slice(0, start), isUnfinished));
      if (isUnfinished) text.append(make("p", { class: "note" }, "The thinking is not finished: nothing follows it."));
      else writeLong(text, sample.text.slice(start));
      const side = make("div", { class: "side" }, title, facts, text);
      if (sample.why !== null) {
        const why = make("p", { class: "note" });
        writePlain(why, sample.why);
        facts.after(why);
      }
      if (sample.leftOut > 0) {
        side.append(make("p", { class: "note" },
          `${sample.leftOut.toLocaleString("en")} more characters are not on this page; the run holds them.`));
      }
      return side;
    };
    const address = (row) => {
      const { problem, index } = any(row);
      const titles = row.length === 2
        ? [columns[state.left].title, columns[state.right].title] : [columns[row[0].column].title];
      const parts = [problem.id, String(index), ...titles];
      return "#s=" + parts.map((part) => encodeURIComponent(part).replaceAll("%2F", "/")).join(":");
    };
    const drawDetail = () => {
      detail.replaceChildren();
      detail.scrollTop = 0;
      if (chosen === null) {
        detail.append(make("p", { class: "empty" }, shown.length ? "Choose a sample." : "No sample passes the filters."));
        return;
      }
      const { problem, index } = any(chosen);
      const link = make("button", { type: "button", class: "link" }, "Copy link");
      const target = address(chosen);
      link.addEventListener("click", () => {
        history.replaceState(null, "", target);
        window.emdiagCopy(link, location.href);
      });
      const about = [problem.group, ...problem.tags].filter((words) => words !== null).join(" \u00b7 ");
      const statement = make("div", { class: `text${state.raw ? " raw" : ""}`, dir: "auto" });
      writeLong(statement, problem.statement);
      const gold = make("p", { class: "gold" }, "Right answer: ");
      if (problem.answer === null) gold.append("not given here");
      else writeAnswer(gold, problem.answer);
      const sides = chosen.length === 2
        ? [drawSide(chosen[0], state.left), drawSide(chosen[1], state.right)] : [drawSide(chosen[0], chosen[0].column)];
      detail.append(
        make("div", { class: "head" }, make("h3", {}, named(`${problem.id}, sample ${index}`)), link),
        make("div", { class: "problem" }, statement, gold, ...(about ? [make("p", { class: "note" }, named(about))] : [])),
        make("div", { class: "sides" }, ...sides));
    };

    // ---- what a reader does ---------------------------------------------------------------
    const choose = (at) => {
      chosen = shown[at] ?? null;
      if (chosen !== null) {
        const top = at * ROW_HEIGHT;
        if (top < list.scrollTop) list.scrollTop = top;
        else if (top + ROW_HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW_HEIGHT - list.clientHeight;
      }
      drawRows();
      drawDetail();
    };
    const move = (by) => {
      const at = chosen === null ? (by > 0 ? -1 : shown.length) : shown.indexOf(chosen);
      if (shown.length) choose(Math.min(Math.max(at + by, 0), shown.length - 1));
    };
    const grouped = () => (state.group === "" ? rows : rows.filter((row) => any(row).problem.group === state.group));
    const select = ({ keep = true } = {}) => {
      const inGroup = grouped();
      const query = state.query.toLowerCase();
      for (const filter of state.filters) if (!isOffered(filter)) state.filters.delete(filter);
      const tests = [...state.filters].map((filter) => filter.test);
      if (query) tests.push(holds(query));
      shown = inGroup.filter((row) => tests.every((test) => test(row)));
      drawChips(inGroup);
      counter.textContent = `${shown.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown`
        + (isPaired() ? "; a filter passes what holds for either side" : "");
      room.style.height = `${shown.length * ROW_HEIGHT}px`;
      if (keep && chosen !== null && shown.includes(chosen)) {
        drawRows();
      } else {
        list.scrollTop = 0;
        choose(0);
      }
    };
    const setColumns = (left, right) => {
      const before = chosen === null ? null : any(chosen);
      [state.left, state.right] = [left, left === EVERY || left === right ? NONE : right];
      takeRows();
      drawChoices();
      chosen = null;
      select({ keep: false });
      const at = before === null ? -1 : shown.findIndex((row) => any(row).place === before.place && any(row).index === before.index);
      if (at > 0) choose(at);
    };
    const setBenchmark = (name) => {
      state.benchmark = name;
      chosen = null;
      const here = ofBenchmark();
      const other = here.find((index) => columns[index].label !== columns[here[0]].label);
      setColumns(here[0], other ?? NONE);
    };
    const toggleFilter = (filter) => {
      if (!state.filters.delete(filter)) state.filters.add(filter);
      const at = document.activeElement?.closest(".filters") ? offered().indexOf(filter) : -1;
      select();
      if (at >= 0) chips.children[at].focus();
    };
    const cycleFilters = () => {
      const all = offered();
      const at = all.findIndex((filter) => state.filters.has(filter));
      state.filters.clear();
      if (at + 1 < all.length) state.filters.add(all[at + 1]);
      select();
    };
    const toggleRaw = () => {
      state.raw = !state.raw;
      rawToggle.setAttribute("aria-pressed", String(state.raw));
      drawDetail();
    };
    const toggleKeys = (isOpen = keys.hidden) => {
      keys.hidden = !isOpen;
      help.setAttribute("aria-expanded", String(isOpen));
    };
    const leave = () => {
      if (!keys.hidden) toggleKeys(false);
      else if (document.activeElement === list) { chosen = null; drawRows(); drawDetail(); }
      else list.focus();
    };
    const open = () => {
      if (chosen === null) move(1);
      detail.focus();
      detail.scrollIntoView({ block: "nearest" });
    };

    const follow = () => {
      if (!location.hash.startsWith("#s=")) return false;
      let parts;
      try { parts = location.hash.slice(3).split(":").map(decodeURIComponent); } catch { return false; }
      const [id, index, ...titles] = parts;
      const problem = problems.find((row) => row.id === id);
      if (problem === undefined) return false;
      const [left, right] = titles.map((title) => columns.findIndex(
        (column) => column.benchmark === problem.benchmark && column.title === title));
      if (left === undefined || left < 0) return false;
      state.benchmark = problem.benchmark;
      state.group = "";
      state.query = search.value = "";
      state.filters.clear();
      setColumns(left, right === undefined || right < 0 ? NONE : right);
      const at = shown.findIndex((row) => any(row).problem === problem && String(any(row).index) === index);
      if (at < 0) return false;
      choose(at);
      document.getElementById("samples").scrollIntoView({ behavior: "instant" });
      return true;
    };

    const LIST_KEYS = {
      ArrowDown: () => move(1), ArrowUp: () => move(-1), Home: () => move(-shown.length), End: () => move(shown.length),
      PageDown: () => move(10), PageUp: () => move(-10), Enter: open, " ": open,
    };
    const PAGE_KEYS = {
      "/": () => { search.focus(); search.select(); }, j: () => move(1), k: () => move(-1), f: cycleFilters, r: toggleRaw,
      "?": () => toggleKeys(),
    };
    const inView = () => {
      const box = browser.getBoundingClientRect();
      return box.top < innerHeight && box.bottom > 0;
    };
    const act = (event, action) => { event.preventDefault(); action(); };
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      const isInside = browser.contains(event.target);
      if (event.key === "Escape" && isInside) return act(event, leave);
      if (event.target === search && (event.key === "ArrowDown" || event.key === "Enter")) return act(event, () => list.focus());
      if (event.target.closest?.("input, select, textarea")) return;
      if (event.target === list && Object.hasOwn(LIST_KEYS, event.key)) return act(event, LIST_KEYS[event.key]);
      if (!state.keys || !(isInside || inView() || event.key === "/")) return;
      const filter = /^[1-9]$/u.test(event.key) ? offered()[Number(event.key) - 1] : undefined;
      if (filter) return act(event, () => toggleFilter(filter));
      if (Object.hasOwn(PAGE_KEYS, event.key)) return act(event, PAGE_KEYS[event.key]);
      if (event.key === "Enter" && event.target === document.body) return act(event, open);
    });

    search.addEventListener("input", () => { state.query = search.value; select(); });
    benchmarkChoice.addEventListener("change", () => setBenchmark(benchmarkChoice.value));
    leftChoice.addEventListener("change", () => setColumns(Number(leftChoice.value), state.right));
    rightChoice.addEventListener("change", () => setColumns(state.left, Number(rightChoice.value)));
    groupChoice.addEventListener("change", () => { state.group = groupChoice.value; select(); });
    rawToggle.addEventListener("click", toggleRaw);
    help.addEventListener("click", () => toggleKeys());
    let frame = 0;
    list.addEventListener("scroll", () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(drawRows);
    });
    new ResizeObserver(drawRows).observe(list);
    addEventListener("hashchange", follow);

    browser.hidden = false;
    if (samples.length === 0) {
      browser.replaceChildren(make("p", { class: "empty" }, "No samples are stored."));
      return;
    }
    if (!follow()) setBenchmark(state.benchmark);
    browser.dataset.ready = "true";
  };

  // The answer is painted first; a page in the background has no frames, hence the clock.
  let isStarted = false;
  const once = () => {
    if (isStarted) return;
    isStarted = true;
    start();
  };
  requestAnimationFrame(() => setTimeout(once));
  setTimeout(once, 1000);
})();
