// The score of a diagnosis, as lab/drills/grading/scorecard.py defines it; its constants come with the data.

const adjacent = (rule, one, other) => rule.neighbours.some(([a, b]) => a === one && b === other);

// From 0 to 1. A diagnosis has components and a trigger, an answer one component and a trigger.
export function score(rule, { components, trigger }, answer) {
  const named = [...new Set(components)];
  const share = named.includes(answer.component)
    ? 1
    : named.some((name) => adjacent(rule, name, answer.component))
      ? rule.adjacent_share
      : 0;
  return (share / named.length) * (trigger === answer.trigger ? 1 : rule.wrong_trigger_share);
}

// The points for that score, to a tenth, halves to the even digit as in Python. In binary, only .25 and .75 are exact
// halves of a tenth, and toFixed rounds both up.
export function points(rule, value) {
  const exact = rule.points * value;
  return Number((exact % 1 === 0.25 ? exact - 0.01 : exact).toFixed(1));
}

// Why the score is what it is: a sentence for each part of the rule that applied.
export function reasons(rule, { components, trigger }, answer) {
  const named = [...new Set(components)];
  const broken = answer.component;
  const near = named.find((name) => adjacent(rule, name, broken));
  const exact = named.includes(broken);
  if (!exact && !near)
    return [
      `The broken component was ${broken}, which is not adjacent to what you named: no points.`,
      `The trigger class was ${answer.trigger}.`,
    ];
  return [
    exact
      ? `The broken component was ${broken}.`
      : `${near} is adjacent to the broken component, ${broken}: ${rule.adjacent_share * 100} % of the points.`,
    named.length > 1 ? `You named ${named.length} components, so the points are divided by ${named.length}.` : "",
    trigger === answer.trigger
      ? `The trigger class was ${answer.trigger}.`
      : `The trigger class was ${answer.trigger}, not ${trigger}: ${rule.wrong_trigger_share * 100} % of the points.`,
  ].filter(Boolean);
}
