/** What others do on the machine meanwhile must not be taken for a contender's fault. */

/** Above this share of a core, programs that have no part in it have spoilt a measurement. */
const tooMuch = 0.1;
const attempts = 3;
/** Of the whole run, which is to end in minutes on a busy machine too. */
let repeatsLeft = 25;

/** Takes a measurement again while it is spoilt, a few times at most. The calmest counts, whatever it has found. */
export async function undisturbed(take) {
  let calmest;
  for (let attempt = 1; ; attempt++) {
    const result = await take();
    if (calmest === undefined || share(result) < share(calmest)) calmest = result;
    const isSpoilt = share(calmest) > tooMuch;
    if (!isSpoilt || attempt === attempts || repeatsLeft === 0) return calmest;
    repeatsLeft -= 1;
  }
}

function share({ foreign, seconds }) {
  return foreign / seconds;
}
