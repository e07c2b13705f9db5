// Plays a replay: calls `show(seconds)` with the current position a few times a second, never past the end.
export class Player {
  constructor(show) {
    this.show = show;
    this.speed = 4;
    this.timer = null;
  }

  load(replay, now) {
    this.pause();
    this.replay = replay;
    this.seek(now ?? replay.opening);
  }

  get playing() {
    return this.timer !== null;
  }

  seek(seconds) {
    this.now = Math.min(Math.max(seconds, this.replay.start), this.replay.end);
    this.show(this.now);
  }

  play() {
    if (this.playing) return;
    if (this.now >= this.replay.end - 0.01) this.now = this.replay.start;
    let before = performance.now();
    this.timer = setInterval(() => {
      const clock = performance.now();
      const next = this.now + ((clock - before) / 1000) * this.speed;
      before = clock;
      if (next >= this.replay.end) this.pause();
      this.seek(next);
    }, 200);
    this.show(this.now);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
  }
}
