// The page Demo: choose an image, type a sentence, see the mask. Everything runs in this browser.
// Answers to the listed sentences are recorded; for others the model is loaded when a reader asks
// for it. All data stand in demo_data.js, which book/_tools/build_demo.py writes.
"use strict";

(() => {
  const data = window.risbookDemo;
  const root = document.getElementById("ris-demo");
  if (!data || !root) return;
  const folder = new URL(".", document.currentScript.src).href + "demo/";
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const COLOUR = [86, 180, 233]; // the book's colour of a prediction
  let chosen = data.images[0];
  let session = null;

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function say(text, isError = false) {
    part("status").textContent = text;
    part("status").classList.toggle("ris-demo-error", isError);
  }

  /** Words as the model's tokenizer splits them: lower case, without punctuation. */
  function wordsOf(sentence) {
    return sentence.normalize("NFKC").toLowerCase().match(/[\p{L}\p{N}\p{M}_]+/gu) ?? [];
  }

  /** A row of ids, and the words that the model has never met. */
  function tokenise(sentence) {
    const words = wordsOf(sentence);
    const unknown = words.filter((word) => !Object.hasOwn(data.vocabulary, word));
    let ids = words.map((word) => data.vocabulary[word] ?? data.vocabulary["[UNK]"]);
    if (data.start !== null) ids = [data.start, ...ids, data.end];
    if (ids.length > data.length) {
      ids = ids.slice(0, data.length);
      if (data.end !== null) ids[data.length - 1] = data.end;
    }
    while (ids.length < data.length) ids.push(0);
    return { ids, unknown, count: words.length };
  }

  function loadImage(name) {
    return new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = () => reject(new Error(`${name} could not be loaded`));
      image.src = folder + name;
    });
  }

  /** Red, green, blue and opacity of each pixel, from 0 to 255; not for pages opened from disk. */
  async function pixelsOf(name) {
    const image = await loadImage(name);
    const canvas = element("canvas", { width: image.width, height: image.height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, image.width, image.height).data;
  }

  async function computeProbability(ids) {
    const pixels = await pixelsOf(chosen.input);
    const area = data.size * data.size;
    const planes = new Float32Array(3 * area);
    for (let place = 0; place < area; place++)
      for (let channel = 0; channel < 3; channel++)
        planes[channel * area + place] = pixels[4 * place + channel];
    const inputs = {
      pixels: new ort.Tensor("float32", planes, [1, 3, data.size, data.size]),
      token_ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, data.length]),
    };
    return (await session.run(inputs)).probability.data;
  }

  /** The recorded mask of a listed sentence, from the lengths of its runs. */
  function recordedMask(answer) {
    const inside = new Uint8Array(data.size ** 2);
    let start = 0;
    answer.runs.forEach((length, number) => {
      inside.fill(number % 2, start, start + length);
      start += length;
    });
    return inside;
  }

  async function drawImage() {
    const canvas = part("canvas");
    canvas.getContext("2d").drawImage(await loadImage(chosen.shown), 0, 0, canvas.width, canvas.height);
  }

  /** Lay the mask over the image, enlarged without smoothing, and describe it. */
  function drawMask(inside) {
    const small = element("canvas", { width: data.size, height: data.size });
    const picture = small.getContext("2d").createImageData(data.size, data.size);
    inside.forEach((is, place) => picture.data.set([...COLOUR, is ? 170 : 0], 4 * place));
    small.getContext("2d").putImageData(picture, 0, 0);
    const context = part("canvas").getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, context.canvas.width, context.canvas.height);
    root.dataset.mask = inside.join(""); // what the tests read
    part("canvas").setAttribute("aria-label", `${chosen.description}. ${describe(inside)}`);
    part("result").textContent = describe(inside);
  }

  /** Size and place of a mask in words. */
  function describe(inside) {
    const count = inside.reduce((sum, is) => sum + is, 0);
    if (!count) return "The mask is empty.";
    let x = 0;
    let y = 0;
    inside.forEach((is, place) => {
      x += is * (place % data.size);
      y += is * Math.floor(place / data.size);
    });
    const third = (sum, names) => names[Math.min(2, Math.floor((3 * sum) / count / data.size))];
    const column = third(x, ["left", "middle", "right"]);
    const row = third(y, ["top", "centre", "bottom"]);
    const share = ((100 * count) / inside.length).toFixed(1);
    return `The mask covers ${share} % of the square; its centre is at the ${row}, ${column}.`;
  }

  async function segment() {
    const sentence = part("sentence").value.trim();
    const { ids, unknown, count } = tokenise(sentence);
    if (!count) return say("Type a sentence first, for example “the left man”.", true);
    delete root.dataset.mask;
    part("result").textContent = "";
    const known = unknown.length ? ` The model has never met: ${unknown.join(", ")}.` : "";
    try {
      if (session) {
        await drawImage();
        const begun = performance.now();
        const probability = await computeProbability(ids);
        drawMask(Uint8Array.from(probability, (value) => Number(value > data.threshold)));
        root.dataset.probability = JSON.stringify(Array.from(probability, (v) => +v.toFixed(5)));
        say(`Computed in ${((performance.now() - begun) / 1000).toFixed(2)} s.${known}`);
        return;
      }
      const answer = chosen.answers.find((each) => each.text === sentence);
      if (!answer) {
        say(
          data.model
            ? `Load the model for sentences of your own.${known}`
            : `${data.why_not} Choose a listed sentence.${known}`,
          true,
        );
        return;
      }
      await drawImage();
      drawMask(recordedMask(answer));
      const score = answer.iou === undefined ? "" : ` IoU with the true mask: ${answer.iou.toFixed(2)}.`;
      say(`Recorded answer.${score}${known}`);
    } catch (error) {
      say(`That did not work: ${error.message}`, true);
    }
  }

  async function loadModel() {
    const button = part("load");
    button.disabled = true;
    say(`Loading ${data.megabytes} MB …`);
    try {
      if (location.protocol === "file:")
        throw new Error(
          "a browser loads no model from disk; serve the folder: python -m http.server -d _build/html",
        );
      await new Promise((resolve, reject) => {
        const script = element("script", { src: `${folder}ort.wasm.min.js`, onload: resolve });
        script.onerror = () => reject(new Error("ONNX Runtime could not be loaded"));
        document.head.append(script);
      });
      ort.env.wasm.wasmPaths = folder;
      ort.env.wasm.numThreads = 1; // more need headers that a static site cannot send
      session = await ort.InferenceSession.create(folder + data.model, {
        executionProviders: ["wasm"],
        graphOptimizationLevel: "basic", // higher levels change the results
      });
      button.hidden = true;
      root.dataset.ready = "true";
      say("The model is loaded. Type a sentence of your own.");
    } catch (error) {
      button.disabled = false;
      say(`The model could not be loaded: ${error.message}`, true);
    }
  }

  function choose(image) {
    chosen = image;
    delete root.dataset.mask;
    for (const button of part("images").children)
      button.setAttribute("aria-pressed", String(button.dataset.name === image.name));
    part("sentences").replaceChildren(
      ...image.answers.map((answer) =>
        element("button", {
          type: "button",
          textContent: answer.text,
          onclick: () => {
            part("sentence").value = answer.text;
            segment();
          },
        }),
      ),
    );
    part("sentence").value = "";
    part("result").textContent = "";
    part("canvas").setAttribute("aria-label", image.description);
    say("Choose a sentence, or type one.");
    drawImage().catch((error) => say(error.message, true));
  }

  part("images").replaceChildren(
    ...data.images.map((image) => {
      const picture = element("img", { src: folder + image.input, alt: image.description });
      const button = element("button", { type: "button", onclick: () => choose(image) }, picture);
      button.dataset.name = image.name;
      return button;
    }),
  );
  part("form").onsubmit = (event) => {
    event.preventDefault();
    segment();
  };
  part("load").onclick = loadModel;
  part("load").textContent = `Load the model (${data.megabytes} MB)`;
  part("load").hidden = !data.model;
  part("words").textContent = Object.keys(data.vocabulary)
    .filter((word) => !word.startsWith("["))
    .sort()
    .join(", ");
  root.hidden = false;
  choose(chosen);
})();
